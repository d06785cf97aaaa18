package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BatchOrderTest {
  private static final int SIZE = 10;

  @Test
  void unshuffledIsTheStoredOrderOverAndOver() {
    BatchOrder order = new BatchOrder(SIZE, 2, 2, false, 1);
    assertThat(globalBatch(order, 0, 2)).containsExactly(0, 1, 2, 3);
    assertThat(globalBatch(order, 1, 2)).containsExactly(4, 5, 6, 7);
    assertThat(globalBatch(order, 2, 2)).containsExactly(8, 9, 0, 1);
  }

  @ParameterizedTest
  @CsvSource({"4, 1", "2, 2", "1, 4"})
  void theGlobalBatchIsTheSameAtAnyWorldSize(int worldSize, int accumulation) {
    BatchOrder order = new BatchOrder(SIZE, 3, worldSize * accumulation, true, 7);
    BatchOrder single = new BatchOrder(SIZE, 12, 1, true, 7);
    for (long step = 0; step < 5; step++) {
      long[] batch = new long[12];
      for (int a = 0; a < accumulation; a++) {
        for (int rank = 0; rank < worldSize; rank++) {
          int microBatch = a * worldSize + rank;
          long[] part = order.microBatch(step, microBatch);
          System.arraycopy(part, 0, batch, microBatch * 3, 3);
        }
      }
      assertThat(batch).containsExactly(single.microBatch(step, 0));
    }
  }

  @Test
  void everyShuffledEpochIsAPermutationOfItsOwn() {
    BatchOrder order = new BatchOrder(SIZE, SIZE, 1, true, 7);
    List<long[]> epochs =
        LongStream.range(0, 4).mapToObj(step -> order.microBatch(step, 0)).toList();
    for (long[] epoch : epochs) {
      assertThat(Arrays.stream(epoch).sorted().toArray())
          .containsExactly(LongStream.range(0, SIZE).toArray());
    }
    assertThat(epochs.stream().map(Arrays::toString).distinct()).hasSize(4);
  }

  @Test
  void theOrderDependsOnTheSeedAndOnNothingAskedBefore() {
    BatchOrder order = new BatchOrder(SIZE, 4, 1, true, 7);
    long[] spanning = order.microBatch(2, 0);
    order.microBatch(7, 0);
    assertThat(order.microBatch(2, 0)).containsExactly(spanning);
    assertThat(new BatchOrder(SIZE, 4, 1, true, 7).microBatch(2, 0)).containsExactly(spanning);
    assertThat(new BatchOrder(1000, 50, 1, true, 7).microBatch(0, 0))
        .isNotEqualTo(new BatchOrder(1000, 50, 1, true, 8).microBatch(0, 0));
  }

  @Test
  void aBatchLargerThanTheDataTakesSeveralEpochs() {
    BatchOrder order = new BatchOrder(2, 5, 1, false, 0);
    assertThat(order.microBatch(0, 0)).containsExactly(0, 1, 0, 1, 0);
    assertThat(order.microBatch(1, 0)).containsExactly(1, 0, 1, 0, 1);
  }

  @Test
  void countsEpochs() {
    assertThat(new BatchOrder(SIZE, 2, 2, true, 7).epochs(5)).isEqualTo(2.0);
  }

  private static long[] globalBatch(BatchOrder order, long step, int microBatches) {
    return LongStream.range(0, microBatches)
        .flatMap(microBatch -> Arrays.stream(order.microBatch(step, (int) microBatch)))
        .toArray();
  }
}
