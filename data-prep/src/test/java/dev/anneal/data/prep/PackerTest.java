package dev.anneal.data.prep;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.data.format.TokenizedRow;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PackerTest {
  @Test
  void putsEachRowWhereItFitsBest() {
    assertThat(packedLengths(10, 5, 7, 3, 6, 4, 5, 10))
        .containsExactly(List.of(5, 5), List.of(7, 3), List.of(6, 4), List.of(10));
  }

  @Test
  void keepsEveryRowWholeAndOnce() {
    Random random = new Random(7);
    List<TokenizedRow> rows =
        IntStream.range(0, 5000).mapToObj(i -> row(1 + random.nextInt(300))).toList();
    List<List<TokenizedRow>> packed = Packer.pack(rows, 512);

    List<TokenizedRow> flat = packed.stream().flatMap(List::stream).toList();
    assertThat(flat).hasSize(5000).containsExactlyInAnyOrderElementsOf(rows);
    assertThat(packed)
        .allSatisfy(
            s -> assertThat(s.stream().mapToInt(TokenizedRow::length).sum()).isBetween(1, 512));
    long tokens = rows.stream().mapToLong(TokenizedRow::length).sum();
    assertThat((double) tokens / (512L * packed.size())).isGreaterThan(0.99);
    assertThat(Packer.pack(new ArrayList<>(rows), 512)).isEqualTo(packed);
  }

  @Test
  void packsNothingIntoNothing() {
    assertThat(Packer.pack(List.of(), 8)).isEmpty();
  }

  private static List<List<Integer>> packedLengths(int maxLength, int... lengths) {
    List<TokenizedRow> rows = IntStream.of(lengths).mapToObj(PackerTest::row).toList();
    return Packer.pack(rows, maxLength).stream()
        .map(sequence -> sequence.stream().map(TokenizedRow::length).toList())
        .toList();
  }

  private static TokenizedRow row(int length) {
    return new TokenizedRow(new int[length], new int[0]);
  }
}
