package dev.anneal.data.prep;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class RowOrderTest {
  @Test
  void takesAPartitionForEvery4096RowsUpTo8192() {
    assertThat(new RowOrder(true, 1, 1).numPartitions()).isEqualTo(1);
    assertThat(new RowOrder(true, 1, 2).numPartitions()).isEqualTo(2);
    assertThat(new RowOrder(true, 1, 4096 * 3 + 1).numPartitions()).isEqualTo(4);
    assertThat(new RowOrder(true, 1, 3_000_000_000L).numPartitions()).isEqualTo(8192);
  }

  @Test
  void dealsRowsEvenlyAndInTheOrderOfTheirKeys() {
    long rows = 400_000;
    for (boolean shuffle : new boolean[] {true, false}) {
      RowOrder order = new RowOrder(shuffle, 7, rows);
      long[] keys = LongStream.range(0, rows).map(order::key).sorted().toArray();
      int[] partitions = Arrays.stream(keys).mapToInt(order::getPartition).toArray();

      assertThat(Arrays.stream(keys).distinct().count()).isEqualTo(rows);
      assertThat(partitions).isSorted();
      int[] sizes = new int[order.numPartitions()];
      Arrays.stream(partitions).forEach(partition -> sizes[partition]++);
      assertThat(Arrays.stream(sizes).min().orElseThrow()).isBetween(3700, 4096);
      assertThat(Arrays.stream(sizes).max().orElseThrow()).isBetween(4050, 4500);
    }
  }
}
