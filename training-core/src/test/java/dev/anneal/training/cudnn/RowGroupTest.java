package dev.anneal.training.cudnn;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RowGroupTest {
  private static final long MOST = 512L << 20;

  @Test
  void aForwardTakesAllRowsTogether() {
    assertThat(RowGroup.all(new int[] {1, 700, 20, 5, 1}))
        .isEqualTo(new RowGroup(List.of(0, 1, 2, 3, 4), 6, 768, 1));
  }

  @Test
  void rowsStayTogetherWhileTheirScoresHaveRoom() {
    int[] rows = {1024, 1024, 1024, 1024};
    assertThat(RowGroup.within(MOST, rows, 32, 8))
        .containsExactly(new RowGroup(List.of(0, 1, 2, 3), 4, 1024, 1));
    assertThat(RowGroup.within(MOST, rows, 64, 8))
        .containsExactly(new RowGroup(List.of(0, 1, 2, 3), 4, 1024, 1));
    assertThat(RowGroup.within(MOST, rows, 128, 8))
        .containsExactly(
            new RowGroup(List.of(0, 1), 2, 1024, 1), new RowGroup(List.of(2, 3), 2, 1024, 1));
  }

  @Test
  void theLongestRowsGoFirstAndShortOnesArePaddedLess() {
    int[] rows = {50, 4096, 60, 2048, 70};
    // a row of 4,096 has room for no second one
    List<RowGroup> groups = RowGroup.within(1L << 30, rows, 32, 8);
    assertThat(groups)
        .containsExactly(
            new RowGroup(List.of(1), 1, 4096, 1), new RowGroup(List.of(0, 2, 3, 4), 4, 2048, 1));
  }

  @Test
  void aRowWithoutRoomIsTakenBySomeHeadsAfterOthers() {
    assertThat(RowGroup.within(MOST, new int[] {8192, 1}, 32, 8))
        .containsExactly(new RowGroup(List.of(0), 1, 8192, 8), new RowGroup(List.of(1), 1, 128, 1));
    assertThat(RowGroup.within(MOST, new int[] {4096}, 32, 8))
        .containsExactly(new RowGroup(List.of(0), 1, 4096, 2));
    // the sums of two heads would not begin at a multiple of 16 bytes
    assertThat(RowGroup.within(MOST, new int[] {10_000}, 8, 4)).isEmpty();
    assertThat(RowGroup.within(MOST, new int[] {20_000}, 32, 8)).isEmpty();
  }

  @Test
  void everyRowIsInOneGroupThatHasRoom() {
    Random random = new Random(7);
    for (int round = 0; round < 200; round++) {
      int[] rows = random.ints(1 + random.nextInt(60), 1, 6000).toArray();
      List<RowGroup> groups = RowGroup.within(MOST, rows, 32, 8);
      assertThat(groups.stream().flatMap(group -> group.rows().stream()).sorted())
          .containsExactlyElementsOf(IntStream.range(0, rows.length).boxed().toList());
      for (RowGroup group : groups) {
        assertThat(group.roomBytes(32)).isLessThanOrEqualTo(MOST + (64 << 10));
        assertThat(group.rows()).isSorted().hasSizeLessThanOrEqualTo(group.rowBucket());
        assertThat(group.rows().stream().mapToInt(row -> rows[row]).max().getAsInt())
            .isLessThanOrEqualTo(group.longest());
        long most = RowGroup.mostRoomBytes(MOST, rows.length, max(rows), 32);
        assertThat(group.roomBytes(32)).isLessThanOrEqualTo(most);
      }
    }
  }

  @Test
  void noBatchWantsMoreThanTheMost() {
    long counters = 64 << 10;
    long row = 2L * 32 * 1024 * 1024;
    assertThat(RowGroup.mostRoomBytes(MOST, 3, 1024, 32)).isEqualTo(3 * row + counters);
    assertThat(RowGroup.mostRoomBytes(MOST, 8, 1000, 32)).isEqualTo(8 * row + counters);
    assertThat(RowGroup.mostRoomBytes(MOST, 9, 1024, 32)).isEqualTo(MOST + counters);
    assertThat(RowGroup.mostRoomBytes(MOST, 1L << 40, 131_072, 128)).isEqualTo(MOST + counters);
    // five rows of 1,536 are in two groups, and as many of 1,024 in one
    assertThat(RowGroup.mostRoomBytes(MOST, 5, 1536, 32)).isEqualTo(MOST + counters);
  }

  private static int max(int[] rows) {
    return Arrays.stream(rows).max().getAsInt();
  }
}
