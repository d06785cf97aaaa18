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
 */
public record TokenBatch(
    Tensor inputIds,
    Tensor positions,
    Tensor rowStarts,
    int[] rowLengths,
    Tensor predictors,
    Tensor targets) {
  /** On the host. */
  public static TokenBatch of(List<TokenSequence> sequences) {
    int tokens = sequences.stream().mapToInt(s -> s.inputIds().length).sum();
    long[] ids = new long[tokens];
    long[] positions = new long[tokens];
    long[] predictors = new long[tokens];
    long[] targets = new long[tokens];
    int learned = 0;
    int start = 0;
    for (TokenSequence sequence : sequences) {
      int at = start;
      for (int length : sequence.rowLengths()) {
        for (int position = 0; position < length; position++, at++) {
          ids[at] = sequence.inputIds()[at - start];
          positions[at] = position;
        }
      }
      int[] spans = sequence.targetSpans();
      for (int span = 0; span < spans.length; span += 2) {
        for (int target = start + spans[span]; target < start + spans[span + 1]; target++) {
          // a row's first token has nothing in its row to be predicted from
          if (positions[target] > 0) {
            predictors[learned] = target - 1L;
            targets[learned++] = ids[target];
          }
        }
      }
      start = at;
    }
    int[] rowLengths =
        sequences.stream().flatMapToInt(s -> Arrays.stream(s.rowLengths())).toArray();
    return new TokenBatch(
        Tensors.of(ids),
        Tensors.of(positions),
        rowStarts(rowLengths),
        rowLengths,
        Tensors.of(Arrays.copyOf(predictors, learned)),
        Tensors.of(Arrays.copyOf(targets, learned)));
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
    return new TokenBatch(
        Tensors.of(ids),
        Tensors.of(positions),
        rowStarts(rowLengths),
        rowLengths,
        Tensors.of(new long[0]),
        Tensors.of(new long[0]));
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
            copy(device, targets))
        : this;
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
