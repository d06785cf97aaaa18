package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class RowStatisticsTest {
  @Test
  void withoutPackingASequenceIsARow() {
    assertThat(RowStatistics.unpacked().mostRows(4, 1024)).isEqualTo(4);
    assertThat(RowStatistics.unpacked().sureTokens(1024)).isEqualTo(1);
  }

  @Test
  void beforeRowsAreReadTheyAreGuessed() {
    RowStatistics unknown = RowStatistics.unknown(true);
    assertThat(unknown.mostRows(4, 1024)).isEqualTo(4 * 1024 / 32);
    assertThat(unknown.mostRows(4, 16)).isEqualTo(4);
    assertThat(unknown.sureTokens(1024)).isEqualTo(512);
  }

  @Test
  void theShortestRowsAreTheMostThatASequenceCanHave() {
    // 10 rows of 9 to 16 tokens in each of two epochs, then rows of 33 to 64
    RowStatistics rows = known(Map.of(16, 10L, 64, 1000L), 0);
    long left = 1024L - 20 * 9;
    assertThat(rows.mostRows(1, 1024)).isEqualTo(20 + left / 33);
    assertThat(rows.mostRows(1, 16)).isEqualTo(1);
  }

  @Test
  void aRowIsNoLongerThanASequence() {
    assertThat(known(Map.of(4096, 8L), 0).mostRows(2, 512)).isEqualTo(2);
  }

  @Test
  void piecesOfRowsMayBeOfAToken() {
    RowStatistics rows = known(Map.of(2048, 3L), 3);
    // 3 pieces in each of two epochs beside one row cut at the sequence's length
    assertThat(rows.mostRows(2, 512)).isEqualTo(6 + 1);
  }

  @Test
  void aDataSetTellsWhatSequencesHoldOnAverage() {
    RowStatistics rows = new RowStatistics(new TreeMap<>(Map.of(64, 9L)), 0, true, 1000, 0, 0);
    assertThat(rows.sureTokens(1024)).isEqualTo(900);
    assertThat(rows.sureTokens(512)).isEqualTo(512);
  }

  @Test
  void mostTokensAreInLongRows() {
    assertThat(known(Map.of(), 0).attended(4096)).isEmpty();
    // a row of 65 to 128 tokens counts as 90.5, the bounds' mean by their ratio
    assertThat(known(Map.of(128, 7L), 0).attended(4096).orElseThrow()).isCloseTo(90.5, within(0.1));
    assertThat(known(Map.of(128, 8L, 1024, 1L), 0).attended(4096).orElseThrow())
        .isCloseTo((90.5 + 724) / 2, within(0.5));
    assertThat(known(Map.of(1024, 1L), 0).attended(512)).hasValue(512);
    // pieces of a row of 65,536 are many, which it is not where it is cut
    Map<Integer, Long> one = Map.of(128, 80L, 65_536, 1L);
    assertThat(known(one, 0).attended(512).orElseThrow()).isLessThan(130);
    assertThat(known(one, 1).attended(512).orElseThrow()).isGreaterThan(440);
  }

  @Test
  void aTokenIsInARowOfTheAverageLengthAtLeast() {
    SortedMap<Integer, Long> full = new TreeMap<>(Map.of(8192, 5L));
    assertThat(new RowStatistics(full, 0, false, 8192, 8192, 1).attended(8192)).hasValue(8192);
    // manifests of earlier versions have no lengths
    assertThat(new RowStatistics(new TreeMap<>(), 0, true, 4000, 113, 1).attended(4096))
        .hasValue(113);
  }

  private static RowStatistics known(Map<Integer, Long> lengths, long pieces) {
    return new RowStatistics(new TreeMap<>(lengths), pieces, true, 0, 0, 0);
  }
}
