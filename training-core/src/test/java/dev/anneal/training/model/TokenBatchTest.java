package dev.anneal.training.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class TokenBatchTest {

  @BeforeAll
  static void load() {
    NativeLibraries.load();
  }

  @Test
  void positionsStartAnewWithEveryRow() {
    try (TensorScope scope = new TensorScope()) {
      TokenBatch batch =
          TokenBatch.of(
              List.of(
                  new TokenSequence(new int[] {7, 8, 9}, new int[] {1, 2}, new int[0]),
                  new TokenSequence(new int[] {5, 6}, new int[] {2}, new int[0])));
      assertThat(longs(batch.inputIds())).containsExactly(7, 8, 9, 5, 6);
      assertThat(longs(batch.positions())).containsExactly(0, 0, 1, 0, 1);
      assertThat(batch.rowLengths()).containsExactly(1, 2, 2);
      assertThat(longs(batch.rowStarts().to(ScalarType.Long))).containsExactly(0, 1, 3, 5);
      assertThat(batch.maxRowLength()).isEqualTo(2);
      assertThat(batch.tokens()).isEqualTo(5);
    }
  }

  @Test
  void targetsArePredictedFromTheTokenBeforeThemInTheirRow() {
    try (TensorScope scope = new TensorScope()) {
      TokenBatch batch =
          TokenBatch.of(
              List.of(
                  new TokenSequence(
                      new int[] {10, 11, 12, 13, 14, 15}, new int[] {4, 2}, new int[] {2, 3, 4, 6}),
                  new TokenSequence(new int[] {20, 21}, new int[] {2}, new int[] {1, 2})));
      // 14 begins a row: nothing predicts it
      assertThat(longs(batch.targets())).containsExactly(12, 15, 21);
      assertThat(longs(batch.predictors())).containsExactly(1, 4, 6);
      assertThat(batch.targetTokens()).isEqualTo(3);
    }
  }

  @Test
  void aRowsTargetsTogetherWeighOne() {
    try (TensorScope scope = new TensorScope()) {
      TokenBatch batch =
          TokenBatch.of(
              List.of(
                  // rows of 2 targets, of none that can be predicted, and of 1
                  new TokenSequence(
                      new int[] {10, 11, 12, 13, 14, 15},
                      new int[] {3, 1, 2},
                      new int[] {1, 4, 5, 6}),
                  new TokenSequence(
                      new int[] {20, 21, 22, 23, 24}, new int[] {5}, new int[] {1, 5})));
      assertThat(batch.rowTargets()).containsExactly(2, 0, 1, 4);
      assertThat(batch.learnedRows()).isEqualTo(3);
      assertThat(Tensors.doubles(batch.rowWeights()))
          .containsExactly(0.5, 0.5, 1, 0.25, 0.25, 0.25, 0.25);
    }
  }

  @Test
  void rowsOfThePredictorsGoToTheirPlaces() {
    try (TensorScope scope = new TensorScope()) {
      TokenBatch batch =
          TokenBatch.of(
              List.of(
                  new TokenSequence(
                      new int[] {10, 11, 12, 13, 14, 15}, new int[] {4, 2}, new int[] {2, 3, 4, 6}),
                  new TokenSequence(new int[] {20, 21}, new int[] {2}, new int[] {1, 2})));
      Tensor rows = Tensors.normal(Tensors.empty(ScalarType.Float, 3, 5), 1, 7);
      Tensor expected =
          Tensors.zeros(ScalarType.Float, 8, 5).index_copy_(0, batch.predictors(), rows);
      assertThat(batch.spread(rows).equal(expected)).isTrue();
      // what is not a number stays where it is
      rows.select(0, 0).fill_(Tensors.scalar(Double.NaN));
      assertThat(longs(batch.spread(rows).isnan().sum(1L))).containsExactly(0, 5, 0, 0, 0, 0, 0, 0);
    }
  }

  @Test
  void rowsOfOneTokenLearnNothing() {
    try (TensorScope scope = new TensorScope()) {
      TokenBatch batch =
          TokenBatch.of(
              List.of(new TokenSequence(new int[] {1, 2}, new int[] {1, 1}, new int[] {0, 2})));
      assertThat(batch.targetTokens()).isZero();
      Tensor spread = batch.spread(Tensors.empty(ScalarType.Float, 0, 3));
      assertThat(spread.equal(Tensors.zeros(ScalarType.Float, 2, 3))).isTrue();
    }
  }

  private static long[] longs(Tensor tensor) {
    long[] values = new long[(int) tensor.numel()];
    new LongPointer(tensor.data_ptr()).get(values);
    return values;
  }
}
