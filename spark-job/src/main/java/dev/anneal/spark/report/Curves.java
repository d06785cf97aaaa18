package dev.anneal.spark.report;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.training.trainer.StepMetrics;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * What is drawn of the steps of a run: points of each curve as JSON. A curve of very many steps is
 * thinned out so that its smallest and largest values stay; what is not finite is {@code null}.
 */
final class Curves {
  /** More than a screen has columns. */
  static final int MOST_POINTS = 2000;

  private static final MathContext DIGITS = new MathContext(6);
  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

  private final List<StepMetrics> steps = new ArrayList<>();
  private final List<Long> evaluatedAt = new ArrayList<>();
  private final List<Double> evalLosses = new ArrayList<>();

  Curves(MetricsLog metrics) {
    metrics.replay(
        steps::add,
        (step, evalLoss) -> {
          evaluatedAt.add(step);
          evalLosses.add(evalLoss);
        });
  }

  /** Everything measured, in the order of the steps. */
  List<StepMetrics> steps() {
    return List.copyOf(steps);
  }

  /** Of each curve {@code x}, the steps, and {@code y}. */
  ObjectNode json() {
    long[] x = steps.stream().mapToLong(StepMetrics::step).toArray();
    double[] loss = of(StepMetrics::loss);
    ObjectNode json = JSON.objectNode();
    json.set("loss", curve(x, loss));
    json.set("smooth", smooth(x, loss));
    json.set(
        "eval",
        whole(
            evaluatedAt.stream().mapToLong(Long::longValue).toArray(),
            evalLosses.stream().mapToDouble(Double::doubleValue).toArray()));
    json.set("learning_rate", curve(x, of(StepMetrics::learningRate)));
    json.set("grad_norm", curve(x, of(StepMetrics::gradNorm)));
    json.set("grad_norm_smooth", smooth(x, of(StepMetrics::gradNorm)));
    json.set("tokens_per_second", curve(x, of(StepMetrics::tokensPerSecond)));
    json.set("tokens_per_second_smooth", smooth(x, of(StepMetrics::tokensPerSecond)));
    json.set("peak_memory_bytes", curve(x, of(StepMetrics::peakMemoryBytes)));
    return json;
  }

  private double[] of(ToDoubleFunction<StepMetrics> value) {
    return steps.stream().mapToDouble(value).toArray();
  }

  private static ObjectNode smooth(long[] x, double[] y) {
    return curve(x, smoothed(y, span(x.length)));
  }

  /** Steps that a smoothed value looks back on. */
  static int span(int steps) {
    return Math.max(5, Math.min(500, steps / 25));
  }

  /** The mean of the last values with weights that fall by a factor, as EMA with {@code span}. */
  static double[] smoothed(double[] values, int span) {
    double keep = 1 - 2.0 / (span + 1);
    double sum = 0;
    double weights = 0;
    double[] smoothed = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      if (Double.isFinite(values[i])) {
        sum = keep * sum + values[i];
        weights = keep * weights + 1;
      }
      smoothed[i] = weights == 0 ? Double.NaN : sum / weights;
    }
    return smoothed;
  }

  private static ObjectNode curve(long[] x, double[] y) {
    if (x.length <= MOST_POINTS) {
      return whole(x, y);
    }
    ObjectNode curve = JSON.objectNode();
    ArrayNode steps = curve.putArray("x");
    ArrayNode values = curve.putArray("y");
    int buckets = MOST_POINTS / 2;
    for (int b = 0; b < buckets; b++) {
      int from = (int) ((long) b * x.length / buckets);
      int to = (int) ((long) (b + 1) * x.length / buckets);
      int low = from;
      int high = from;
      for (int i = from; i < to; i++) {
        low = !(y[low] <= y[i]) && Double.isFinite(y[i]) ? i : low;
        high = !(y[high] >= y[i]) && Double.isFinite(y[i]) ? i : high;
      }
      add(steps, values, x[Math.min(low, high)], y[Math.min(low, high)]);
      if (low != high) {
        add(steps, values, x[Math.max(low, high)], y[Math.max(low, high)]);
      }
    }
    return curve;
  }

  private static ObjectNode whole(long[] x, double[] y) {
    ObjectNode curve = JSON.objectNode();
    ArrayNode steps = curve.putArray("x");
    ArrayNode values = curve.putArray("y");
    for (int i = 0; i < x.length; i++) {
      add(steps, values, x[i], y[i]);
    }
    return curve;
  }

  private static void add(ArrayNode steps, ArrayNode values, long x, double y) {
    steps.add(x);
    if (Double.isFinite(y)) {
      values.add(new BigDecimal(y).round(DIGITS));
    } else {
      values.addNull();
    }
  }
}
