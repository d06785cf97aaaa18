package dev.anneal.training.cudnn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.cudnn.AttentionShape.Strides;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RowIndicesTest {
  /** Of 4 query heads and 2 of keys with 16 elements each, joined in one tensor. */
  private static final Strides STRIDES = new Strides(128, 128, 64, 32, 4);

  @Test
  void linesTellLengthsAndWhereRowsBegin() {
    int[] lengths = {5, 1, 7, 3};
    RowGroup group = new RowGroup(List.of(0, 2, 3), 4, 128, 1);
    RowIndices indices = RowIndices.of(lengths, group, STRIDES);
    assertThat(indices.pitch()).as("five values, aligned").isEqualTo(8);
    assertThat(line(indices, 0)).containsExactly(5, 7, 3, 0, 0);
    // rows 0, 2 and 3 begin at tokens 0, 6 and 13 of 16; the fourth is not there
    assertThat(line(indices, 1)).containsExactly(0, 6 * 128, 13 * 128, 16 * 128, 16 * 128);
    assertThat(line(indices, 2)).isEqualTo(line(indices, 1));
    assertThat(line(indices, 3)).containsExactly(0, 6 * 64, 13 * 64, 16 * 64, 16 * 64);
    assertThat(line(indices, 4)).containsExactly(0, 6 * 32, 13 * 32, 16 * 32, 16 * 32);
    assertThat(line(indices, 5)).containsExactly(0, 6 * 4, 13 * 4, 16 * 4, 16 * 4);
  }

  private static long[] line(RowIndices indices, int line) {
    int from = line * indices.pitch();
    return Arrays.copyOfRange(indices.values(), from, from + 5);
  }

  @Test
  void linesBeginAtMultiplesOf16Bytes() {
    for (int rows = 1; rows < 20; rows++) {
      int[] lengths = new int[rows];
      Arrays.fill(lengths, 3);
      RowIndices indices = RowIndices.of(lengths, RowGroup.all(lengths), STRIDES);
      Map<AttentionOperand, Long> addresses = indices.addresses(1 << 20);
      assertThat(addresses.values()).allMatch(address -> address % 16 == 0);
      assertThat(addresses)
          .containsEntry(AttentionOperand.QUERY_LENGTHS, 1L << 20)
          .containsEntry(AttentionOperand.KEY_LENGTHS, 1L << 20)
          .containsEntry(AttentionOperand.LOGSUMEXP_STARTS, (1L << 20) + 5L * indices.pitch() * 4);
      assertThat(indices.values()).hasSize(6 * indices.pitch());
    }
  }

  @Test
  void tokensAreCountedIn32Bits() {
    assertThat(RowIndices.fit(349_525, new Strides(6144, 6144, 4096, 1024, 32))).isTrue();
    assertThat(RowIndices.fit(349_526, new Strides(6144, 6144, 4096, 1024, 32))).isFalse();
  }
}
