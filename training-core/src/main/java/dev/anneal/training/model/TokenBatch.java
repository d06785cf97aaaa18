package dev.anneal.training.model;

import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A micro-batch: all rows of its sequences end to end, without padding. Packed or not, it is the
 * same stream of tokens.
 *
 * @param inputIds {@code [T]} int64
 * @param positions {@code [T]} int64, the position of every token within its row
 * @param rowStarts {@code [rows + 1]} int32: where every row begins, and where the last ends
 * @param rowLengths tokens of each row, summing to {@code T}
 * @param predictors {@code [N]} int64: where in the stream the target tokens are predicted from
 * @param targets {@code [N]} int64: the target tokens
 * @param predictorOf {@code [T]} int64: the place of every token among the predictors, -1 where it
 *     is none
 * @param rowTargets target tokens of each row, summing to {@code N}
 */
public record TokenBatch(
    Tensor inputIds,
    Tensor positions,
    Tensor rowStarts,
    int[] rowLengths,
    Tensor predictors,
    Tensor targets,
    Tensor predictorOf,
    int[] rowTargets) {
  /** On the host. */
  public static TokenBatch of(List<TokenSequence> sequences) {
    int tokens = sequences.stream().mapToInt(s -> s.inputIds().length).sum();
    long[] ids = new long[tokens];
    long[] positions = new long[tokens];
    long[] predictors = new long[tokens];
    long[] targets = new long[tokens];
    long[] predictorOf = nowhere(tokens);
    int[] rowLengths = rowLengths(sequences);
    int[] rowTargets = new int[rowLengths.length];
    int[] rowOf = new int[tokens];
    int row = 0;
    int learned = 0;
    int start = 0;
    for (TokenSequence sequence : sequences) {
      int at = start;
      for (int length : sequence.rowLengths()) {
        for (int position = 0; position < length; position++, at++) {
          ids[at] = sequence.inputIds()[at - start];
          positions[at] = position;
          rowOf[at] = row;
        }
        row++;
      }
      int[] spans = sequence.targetSpans();
      for (int span = 0; span < spans.length; span += 2) {
        for (int target = start + spans[span]; target < start + spans[span + 1]; target++) {
          // a row's first token has nothing in its row to be predicted from
          if (positions[target] > 0) {
            predictors[learned] = target - 1L;
            predictorOf[target - 1] = learned;
            targets[learned++] = ids[target];
            rowTargets[rowOf[target]]++;
          }
        }
      }
      start = at;
    }
    return new TokenBatch(
        Tensors.of(ids),
        Tensors.of(positions),
        rowStarts(rowLengths),
        rowLengths,
        Tensors.of(Arrays.copyOf(predictors, learned)),
        Tensors.of(Arrays.copyOf(targets, learned)),
        Tensors.of(predictorOf),
        rowTargets);
  }

  /** Tokens of each row of some sequences. */
  public static int[] rowLengths(List<TokenSequence> sequences) {
    return sequences.stream().flatMapToInt(s -> Arrays.stream(s.rowLengths())).toArray();
  }

  /**
   * Rows that go on from earlier tokens, on the host; none of their tokens is learned.
   *
   * @param firstPositions the position of each row's first token
   */
  public static TokenBatch after(List<int[]> rows, int[] firstPositions) {
    int[] rowLengths = rows.stream().mapToInt(row -> row.length).toArray();
    int tokens = Arrays.stream(rowLengths).sum();
    long[] ids = new long[tokens];
    long[] positions = new long[tokens];
    int at = 0;
    for (int row = 0; row < rowLengths.length; row++) {
      for (int i = 0; i < rowLengths[row]; i++, at++) {
        ids[at] = rows.get(row)[i];
        positions[at] = firstPositions[row] + (long) i;
      }
    }
    return unlearned(Tensors.of(ids), Tensors.of(positions), rowStarts(rowLengths), rowLengths);
  }

  /** The same tokens, on the host, none of which is learned. */
  TokenBatch withoutTargets() {
    return unlearned(inputIds, positions, rowStarts, rowLengths);
  }

  private static TokenBatch unlearned(
      Tensor inputIds, Tensor positions, Tensor rowStarts, int[] rowLengths) {
    return new TokenBatch(
        inputIds,
        positions,
        rowStarts,
        rowLengths,
        Tensors.of(new long[0]),
        Tensors.of(new long[0]),
        Tensors.of(nowhere(Math.toIntExact(inputIds.numel()))),
        new int[rowLengths.length]);
  }

  /** The same on {@code device}, copied without waiting for it. */
  public TokenBatch on(Device device) {
    return device.isGpu()
        ? new TokenBatch(
            copy(device, inputIds),
            copy(device, positions),
            copy(device, rowStarts),
            rowLengths,
            copy(device, predictors),
            copy(device, targets),
            copy(device, predictorOf),
            rowTargets)
        : this;
  }

  private static long[] nowhere(int tokens) {
    long[] places = new long[tokens];
    Arrays.fill(places, -1);
    return places;
  }

  /**
   * Puts rows of the predictors to their places in the stream. It is a gather, where {@code
   * index_copy_} would wait for the device to look at the indices.
   *
   * @param rows {@code [N, D]}
   * @return {@code [T, D]}, zero where nothing is predicted, in the current tensor scope
   */
  public Tensor spread(Tensor rows) {
    if (rows.size(0) == 0) {
      return Tensors.emptyLike(rows, tokens(), rows.size(1)).zero_();
    }
    try (TensorScope scope = new TensorScope()) {
      Tensor nowhere = predictorOf.lt(Tensors.whole(0)).unsqueeze(1);
      Tensor spread = rows.index_select(0, predictorOf.clamp_min(Tensors.whole(0)));
      return scope.keep(spread.masked_fill_(nowhere, Tensors.scalar(0)));
    }
  }

  private static Tensor copy(Device device, Tensor tensor) {
    try (TensorScope scope = new TensorScope()) {
      Tensor there = Tensors.empty(device, tensor.scalar_type(), tensor.numel());
      there.copy_(tensor.pin_memory(), true);
      return scope.keep(there);
    }
  }

  private static Tensor rowStarts(int[] rowLengths) {
    long[] starts = new long[rowLengths.length + 1];
    for (int row = 0; row < rowLengths.length; row++) {
      starts[row + 1] = starts[row] + rowLengths[row];
    }
    return Tensors.of(starts).to(ScalarType.Int);
  }

  /**
   * Of each target token one over the target tokens of its row: what makes a sum over tokens a sum
   * of the rows' means.
   *
   * @return {@code [N]} fp64 where the batch is, in the current tensor scope
   */
  Tensor rowWeights() {
    double[] weights = new double[Math.toIntExact(targetTokens())];
    int at = 0;
    for (int count : rowTargets) {
      Arrays.fill(weights, at, at + count, 1.0 / count);
      at += count;
    }
    return copied(Tensors.of(weights));
  }

  /** {@code onHost} where the batch is, copied without waiting for the device. */
  Tensor copied(Tensor onHost) {
    return inputIds.is_cuda()
        ? Tensors.emptyLike(inputIds, onHost.scalar_type(), onHost.numel())
            .copy_(onHost.pin_memory(), true)
        : onHost;
  }

  /** Rows with target tokens. */
  long learnedRows() {
    return Arrays.stream(rowTargets).filter(count -> count > 0).count();
  }

  /** Tokens of the longest row. */
  public int maxRowLength() {
    return Arrays.stream(rowLengths).max().orElse(0);
  }

  /** Tokens in the stream. */
  public int tokens() {
    return Math.toIntExact(inputIds.numel());
  }

  /** Tokens that are learned. */
  public long targetTokens() {
    return targets.numel();
  }
}
