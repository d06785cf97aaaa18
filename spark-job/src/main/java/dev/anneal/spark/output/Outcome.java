package dev.anneal.spark.output;

import dev.anneal.spark.progress.RankEvent;
import dev.anneal.training.trainer.StepMetrics;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.TreeMap;

/** What a training run has shown so far, over all its attempts. */
public final class Outcome {

  /**
   * A held-out prompt and the model's greedy continuations, in token ids.
   *
   * @param after {@code null} until training is done
   */
  public record Sample(int[] prompt, int[] before, int[] after) {
    private Sample continued(int[] generated) {
      return new Sample(prompt, before, generated);
    }
  }

  private final Map<Integer, Sample> samples = new TreeMap<>();
  private OptionalDouble evalLossBefore = OptionalDouble.empty();
  private OptionalDouble evalLossAfter = OptionalDouble.empty();
  private long steps;
  private long skippedSteps;
  private long tokens;

  public synchronized void step(StepMetrics metrics) {
    steps = metrics.step();
    tokens += metrics.tokens();
    if (metrics.skipped()) {
      skippedSteps++;
    }
  }

  public synchronized void evaluation(long step, double evalLoss) {
    if (step == 0) {
      evalLossBefore = OptionalDouble.of(evalLoss);
    } else {
      evalLossAfter = OptionalDouble.of(evalLoss);
    }
  }

  public synchronized void sample(RankEvent.Sample event) {
    if (event.step() == 0) {
      samples.put(event.sample(), new Sample(event.prompt(), event.generated(), null));
    } else {
      samples.computeIfPresent(
          event.sample(), (number, sample) -> sample.continued(event.generated()));
    }
  }

  /** Counts anew what is left after a rewind: of the samples, the continuations before training. */
  public synchronized void rewind(MetricsLog log) {
    steps = 0;
    skippedSteps = 0;
    tokens = 0;
    evalLossBefore = OptionalDouble.empty();
    evalLossAfter = OptionalDouble.empty();
    samples.replaceAll((number, sample) -> sample.continued(null));
    log.replay(this::step, this::evaluation);
  }

  /** The samples before training, as a checkpoint keeps them. */
  public synchronized byte[] samplesJson() {
    return SamplesJson.write(samples);
  }

  /**
   * Takes up the samples of a checkpoint.
   *
   * @throws dev.anneal.training.checkpoint.InvalidCheckpointException if they are damaged
   */
  public synchronized void restoreSamples(byte[] json) {
    Map<Integer, Sample> restored = SamplesJson.read(json);
    samples.clear();
    samples.putAll(restored);
  }

  public synchronized long steps() {
    return steps;
  }

  /** Steps whose loss or gradient was not finite. */
  public synchronized long skippedSteps() {
    return skippedSteps;
  }

  public synchronized long tokens() {
    return tokens;
  }

  public synchronized OptionalDouble evalLossBefore() {
    return evalLossBefore;
  }

  public synchronized OptionalDouble evalLossAfter() {
    return evalLossAfter;
  }

  public synchronized List<Sample> samples() {
    return List.copyOf(samples.values());
  }
}
