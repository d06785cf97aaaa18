package dev.anneal.training.model;

import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * A micro-batch: all rows of its sequences end to end, without padding. Packed or not, it is the
 * same stream of tokens.
 *
 * @param inputIds {@code [T]} int64
 * @param positions position of every token within its row, {@code [T]}
 * @param rowLengths tokens of each row, summing to {@code T}
 * @param predictors {@code [N]} int64: where in the stream the target tokens are predicted from
 * @param targets {@code [N]} int64: the target tokens
 */
public record TokenBatch(
    Tensor inputIds, long[] positions, int[] rowLengths, Tensor predictors, Tensor targets) {

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
        positions,
        rowLengths,
        Tensors.of(Arrays.copyOf(predictors, learned)),
        Tensors.of(Arrays.copyOf(targets, learned)));
  }

  /** Tokens in the stream. */
  public int tokens() {
    return positions.length;
  }

  /** Tokens that are learned. */
  public long targetTokens() {
    return targets.numel();
  }
}
