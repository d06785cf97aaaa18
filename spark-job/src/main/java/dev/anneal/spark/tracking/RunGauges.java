package dev.anneal.spark.tracking;

import com.codahale.metrics.Gauge;
import com.codahale.metrics.MetricRegistry;
import dev.anneal.training.trainer.StepMetrics;
import java.time.Duration;
import java.util.List;
import java.util.function.LongSupplier;
import java.util.function.ToDoubleFunction;
import org.apache.spark.SparkEnv;
import org.apache.spark.metrics.source.Source;

/**
 * What a run measures now, in Spark's metric system on the driver: whichever sinks {@code
 * spark.metrics.conf} names show it as {@code APPLICATION.driver.anneal.step} and so on. A number
 * that is not known yet is NaN.
 */
final class RunGauges implements Source, AutoCloseable {
  private static final double NANOS = Duration.ofSeconds(1).toNanos();

  private final MetricRegistry registry = new MetricRegistry();
  private final LongSupplier nanoClock;
  private volatile StepMetrics last;
  private volatile List<Long> peakMemory = List.of();
  private volatile double evalLoss = Double.NaN;
  private volatile double checkpointStep;
  private volatile long checkpointAt;
  private boolean registered;

  /**
   * @param steps of the whole run
   * @param ranks how many there are
   */
  RunGauges(long steps, int ranks, LongSupplier nanoClock) {
    this.nanoClock = nanoClock;
    this.checkpointAt = nanoClock.getAsLong();
    gauge("step", () -> last == null ? 0.0 : (double) last.step());
    gauge("steps", () -> (double) steps);
    gauge("loss", () -> of(StepMetrics::loss));
    gauge("evalLoss", () -> evalLoss);
    gauge("gradNorm", () -> of(StepMetrics::gradNorm));
    gauge("learningRate", () -> of(StepMetrics::learningRate));
    gauge("tokensPerSecond", () -> of(StepMetrics::tokensPerSecond));
    gauge("peakMemoryBytes", () -> of(StepMetrics::peakMemoryBytes));
    for (int rank = 0; rank < ranks; rank++) {
      int number = rank;
      gauge("rank" + rank + ".peakMemoryBytes", () -> peakMemory(number));
    }
    gauge("stepMs", () -> of(step -> step.times().step()));
    gauge("dataWaitMs", () -> of(step -> step.times().dataWait()));
    gauge("hostEnqueueMs", () -> of(step -> step.times().hostEnqueue()));
    gauge("deviceMs", () -> of(step -> step.times().device()));
    gauge("exchangeMs", () -> of(step -> step.times().exchange()));
    gauge("offloadMs", () -> of(step -> step.times().offload()));
    gauge("checkpointStep", () -> checkpointStep);
    gauge("checkpointAgeSeconds", () -> (nanoClock.getAsLong() - checkpointAt) / NANOS);
  }

  private double of(ToDoubleFunction<StepMetrics> number) {
    StepMetrics metrics = last;
    return metrics == null ? Double.NaN : number.applyAsDouble(metrics);
  }

  private double peakMemory(int rank) {
    List<Long> bytes = peakMemory;
    return rank < bytes.size() ? bytes.get(rank) : Double.NaN;
  }

  private void gauge(String name, Gauge<Double> gauge) {
    registry.register(name, gauge);
  }

  /** Shows it, where Spark has an environment in this process. */
  RunGauges register() {
    SparkEnv env = SparkEnv.get();
    if (env != null) {
      // private to Spark in Scala: its public way, a plugin, is named before there is a session
      env.metricsSystem().registerSource(this);
      registered = true;
    }
    return this;
  }

  /** The most memory that each rank has held. */
  void peakMemory(List<Long> bytes) {
    peakMemory = bytes;
  }

  /** A step is done. */
  void step(StepMetrics metrics) {
    last = metrics;
  }

  /** The held-out loss is known. */
  void evaluation(double loss) {
    evalLoss = loss;
  }

  /** The last step; {@code null} before the first. */
  StepMetrics last() {
    return last;
  }

  double evalLoss() {
    return evalLoss;
  }

  /** A checkpoint is complete. */
  void checkpoint(long step) {
    checkpointStep = step;
    checkpointAt = nanoClock.getAsLong();
  }

  @Override
  public String sourceName() {
    return "anneal";
  }

  @Override
  public MetricRegistry metricRegistry() {
    return registry;
  }

  @Override
  public void close() {
    SparkEnv env = SparkEnv.get();
    if (registered && env != null) {
      env.metricsSystem().removeSource(this);
    }
    registered = false;
  }
}
