package dev.anneal.training.trainer;

import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.model.Dropout;
import dev.anneal.training.model.EmbeddingNoise;
import dev.anneal.training.tensor.Seeds;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/** A rank's micro-batches of the global batch of every step. */
final class GlobalBatches {
  /** Sets the noise's seeds apart from those of orders and dropout. */
  private static final long NOISE = 0x4e4546;

  private final TrainingSpec spec;
  private final SequenceSource data;
  private final Ranks ranks;
  private final BatchOrder order;

  GlobalBatches(TrainingSpec spec, SequenceSource data, Ranks ranks) {
    this.spec = spec;
    this.data = data;
    this.ranks = ranks;
    this.order =
        new BatchOrder(
            data.size(),
            spec.batches().microBatchSize(),
            microBatches(),
            spec.batches().shuffle(),
            spec.seed());
  }

  /** Sequences of a global batch. */
  long size() {
    return (long) microBatches() * spec.batches().microBatchSize();
  }

  /** Passes over the data set after {@code steps} optimizer steps. */
  double epochs(long steps) {
    return order.epochs(steps);
  }

  /** This rank's micro-batches of step {@code step}, counted from 0. */
  List<List<TokenSequence>> read(long step) throws IOException {
    List<long[]> indices = new ArrayList<>();
    for (int a = 0; a < spec.batches().gradientAccumulation(); a++) {
      indices.add(order.microBatch(step, microBatch(a)));
    }
    data.expect(indices.stream().flatMapToLong(Arrays::stream).toArray());
    List<List<TokenSequence>> batches = new ArrayList<>();
    for (long[] microBatch : indices) {
      List<TokenSequence> sequences = new ArrayList<>();
      for (long index : microBatch) {
        sequences.add(data.read(index));
      }
      batches.add(sequences);
    }
    return batches;
  }

  /** What the micro-batch of accumulation step {@code a} drops out. */
  Dropout dropout(long step, int a) {
    return switch (spec.mode()) {
      case LORA -> new Dropout(spec.lora().dropout(), Seeds.mix(spec.seed(), step, microBatch(a)));
      case FULL -> Dropout.NONE;
    };
  }

  /**
   * What is added to the embedded tokens of accumulation step {@code a}. Seeds go by the place in
   * the global batch, which is the same for every division into micro-batches and ranks.
   *
   * @param sequences the micro-batch
   */
  EmbeddingNoise noise(long step, int a, List<TokenSequence> sequences) {
    double alpha = spec.updates().objective().neftuneNoiseAlpha();
    if (alpha == 0) {
      return EmbeddingNoise.NONE;
    }
    LongStream.Builder seeds = LongStream.builder();
    long place = (long) microBatch(a) * spec.batches().microBatchSize();
    for (TokenSequence sequence : sequences) {
      for (int row = 0; row < sequence.rowLengths().length; row++) {
        seeds.add(Seeds.mix(spec.seed(), NOISE, step, place, row));
      }
      place++;
    }
    return new EmbeddingNoise(alpha, seeds.build().toArray());
  }

  /** What to call the sequences of {@code rank}'s micro-batch in accumulation step {@code a}. */
  List<String> describe(long step, int rank, int a) {
    return describe(Arrays.stream(order.microBatch(step, microBatch(rank, a))));
  }

  /** What to call the sequences of all ranks. */
  List<String> describeAll(long step) {
    return describe(
        IntStream.range(0, microBatches())
            .mapToObj(microBatch -> order.microBatch(step, microBatch))
            .flatMapToLong(Arrays::stream));
  }

  private List<String> describe(LongStream indices) {
    return indices.sorted().distinct().mapToObj(data::describe).toList();
  }

  private int microBatches() {
    return spec.batches().gradientAccumulation() * ranks.world().worldSize();
  }

  /** The number in the global batch of this rank's micro-batch in accumulation step {@code a}. */
  private int microBatch(int a) {
    return microBatch(ranks.rank(), a);
  }

  private int microBatch(int rank, int a) {
    return a * ranks.world().worldSize() + rank;
  }
}
