package dev.anneal.spark.output;

import dev.anneal.spark.progress.RankEvent;
import dev.anneal.training.trainer.StepMetrics;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.TreeMap;

/** What a training run has shown so far. */
public final class Outcome {

  /**
   * A held-out prompt and the model's greedy continuations, in token ids.
   *
   * @param after {@code null} until training is done
   */
  public record Sample(int[] prompt, int[] before, int[] after) {}

  private final Map<Integer, Sample> samples = new TreeMap<>();
  private OptionalDouble evalLossBefore = OptionalDouble.empty();
  private OptionalDouble evalLossAfter = OptionalDouble.empty();
  private long steps;
  private long tokens;

  public synchronized void step(StepMetrics metrics) {
    steps = metrics.step();
    tokens += metrics.tokens();
  }

  public synchronized void evaluation(long step, double evalLoss) {
    if (step == 0) {
      evalLossBefore = OptionalDouble.of(evalLoss);
    } else {
      evalLossAfter = OptionalDouble.of(evalLoss);
    }
  }

  public synchronized void sample(RankEvent.Sample event) {
    samples.merge(
        event.sample(),
        new Sample(event.prompt(), event.generated(), null),
        (first, second) -> new Sample(first.prompt(), first.before(), second.before()));
  }

  public synchronized long steps() {
    return steps;
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
