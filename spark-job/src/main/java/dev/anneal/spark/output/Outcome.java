package dev.anneal.spark.output;

import dev.anneal.spark.progress.RankEvent;
import dev.anneal.training.trainer.EvaluatedEnd;
import dev.anneal.training.trainer.StepMetrics;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SortedMap;
import java.util.TreeMap;

/** What a training run has shown so far, over all its attempts. */
public final class Outcome {

  /**
   * A held-out prompt and the model's greedy continuations, in token ids.
   *
   * @param continuations by the steps done when each was made, 0 among them
   */
  public record Sample(int[] prompt, SortedMap<Long, int[]> continuations) {
    public Sample {
      continuations = Collections.unmodifiableSortedMap(new TreeMap<>(continuations));
    }

    /** Before training. */
    public int[] before() {
      return continuations.get(0L);
    }

    /** The last; {@code null} until there is one after a step. */
    public int[] after() {
      long last = continuations.lastKey();
      return last == 0 ? null : continuations.get(last);
    }

    private Sample continued(long step, int[] generated) {
      SortedMap<Long, int[]> all = new TreeMap<>(continuations);
      all.put(step, generated);
      return new Sample(prompt, all);
    }

    /** The same as it was after {@code step} steps. */
    Sample upTo(long step) {
      return new Sample(prompt, continuations.headMap(step + 1));
    }
  }

  private final Map<Integer, Sample> samples = new TreeMap<>();
  private OptionalDouble evalLossBefore = OptionalDouble.empty();
  private OptionalDouble evalLossAfter = OptionalDouble.empty();
  private long steps;
  private long tokens;
  private EvaluatedEnd end;

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

  /** All steps of a run that was evaluated on its way are done. */
  public synchronized void ended(EvaluatedEnd how) {
    end = how;
  }

  /** How a run that was evaluated on its way has ended. */
  public synchronized Optional<EvaluatedEnd> end() {
    return Optional.ofNullable(end);
  }

  public synchronized void sample(RankEvent.Sample event) {
    if (event.step() == 0) {
      SortedMap<Long, int[]> before = new TreeMap<>(Map.of(0L, event.generated()));
      samples.put(event.sample(), new Sample(event.prompt(), before));
    } else {
      samples.computeIfPresent(
          event.sample(), (number, sample) -> sample.continued(event.step(), event.generated()));
    }
  }

  /** Counts anew what is left after a rewind. */
  public synchronized void rewind(MetricsLog log) {
    steps = 0;
    tokens = 0;
    evalLossBefore = OptionalDouble.empty();
    evalLossAfter = OptionalDouble.empty();
    end = null;
    samples.replaceAll((number, sample) -> sample.upTo(log.lastStep()));
    log.replay(this::step, this::evaluation);
  }

  /** The samples of the first {@code step} steps, as a checkpoint keeps them. */
  public synchronized byte[] samplesJson(long step) {
    Map<Integer, Sample> kept = new TreeMap<>();
    samples.forEach((number, sample) -> kept.put(number, sample.upTo(step)));
    return SamplesJson.write(kept);
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
