package dev.anneal.training.cudnn;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RowGroupTest {
  private static final long MOST = 512L << 20;

  private static final RowGroup.Room ROOM = new RowGroup.Room(MOST, 2L << 30);

  @Test
  void aForwardTakesAllRowsTogether() {
    assertThat(RowGroup.all(new int[] {1, 700, 20, 5, 1}))
        .isEqualTo(new RowGroup(List.of(0, 1, 2, 3, 4), 6, 768, 1));
  }

  @Test
  void rowsStayTogetherWhileTheirScoresHaveRoom() {
    int[] rows = {1024, 1024, 1024, 1024};
    assertThat(RowGroup.within(ROOM, rows, 32, 8))
        .containsExactly(new RowGroup(List.of(0, 1, 2, 3), 4, 1024, 1));
    assertThat(RowGroup.within(ROOM, rows, 64, 8))
        .containsExactly(new RowGroup(List.of(0, 1, 2, 3), 4, 1024, 1));
    assertThat(RowGroup.within(ROOM, rows, 128, 8))
        .containsExactly(
            new RowGroup(List.of(0, 1), 2, 1024, 1), new RowGroup(List.of(2, 3), 2, 1024, 1));
  }

  @Test
  void theLongestRowsGoFirstAndShortOnesArePaddedLess() {
    int[] rows = {50, 4096, 60, 2048, 70};
    // a row of 4,096 has room for no second one
    List<RowGroup> groups = RowGroup.within(new RowGroup.Room(1L << 30, 1L << 30), rows, 32, 8);
    assertThat(groups)
        .containsExactly(
            new RowGroup(List.of(1), 1, 4096, 1), new RowGroup(List.of(0, 2, 3, 4), 4, 2048, 1));
  }

  @Test
  void aRowWithoutRoomIsTakenBySomeHeadsAfterOthers() {
    assertThat(RowGroup.within(ROOM, new int[] {8192, 1}, 32, 8))
        .containsExactly(new RowGroup(List.of(0), 1, 8192, 8), new RowGroup(List.of(1), 1, 128, 1));
    assertThat(RowGroup.within(ROOM, new int[] {4096}, 32, 8))
        .containsExactly(new RowGroup(List.of(0), 1, 4096, 2));
    // the sums of two heads would not begin at a multiple of 16 bytes
    assertThat(RowGroup.within(ROOM, new int[] {10_000}, 8, 4))
        .containsExactly(new RowGroup(List.of(0), 1, 12_288, 2));
    assertThat(RowGroup.within(ROOM, new int[] {20_000}, 8, 4)).isEmpty();
  }

  @Test
  void aLongRowHasRoomOfItsOwnInTheSmallestPart() {
    assertThat(RowGroup.within(ROOM, new int[] {16_384, 1}, 32, 8))
        .containsExactly(
            new RowGroup(List.of(0), 1, 16_384, 8), new RowGroup(List.of(1), 1, 128, 1));
    assertThat(RowGroup.within(ROOM, new int[] {20_000}, 32, 8)).isEmpty();
  }

  @Test
  void everyRowIsInOneGroupThatHasRoom() {
    Random random = new Random(7);
    for (int round = 0; round < 200; round++) {
      int[] rows = random.ints(1 + random.nextInt(60), 1, 6000).toArray();
      List<RowGroup> groups = RowGroup.within(ROOM, rows, 32, 8);
      assertThat(groups.stream().flatMap(group -> group.rows().stream()).sorted())
          .containsExactlyElementsOf(IntStream.range(0, rows.length).boxed().toList());
      for (RowGroup group : groups) {
        assertThat(group.roomBytes(32)).isLessThanOrEqualTo(MOST + (64 << 10));
        assertThat(group.rows()).isSorted().hasSizeLessThanOrEqualTo(group.rowBucket());
        assertThat(group.rows().stream().mapToInt(row -> rows[row]).max().getAsInt())
            .isLessThanOrEqualTo(group.longest());
        long most = RowGroup.mostRoomBytes(ROOM, rows.length, max(rows), 32, 8);
        assertThat(group.roomBytes(32)).isLessThanOrEqualTo(most);
      }
    }
  }

  @Test
  void noBatchWantsMoreThanTheMost() {
    long counters = 64 << 10;
    long row = 2L * 32 * 1024 * 1024;
    assertThat(RowGroup.mostRoomBytes(ROOM, 3, 1024, 32, 8)).isEqualTo(3 * row + counters);
    assertThat(RowGroup.mostRoomBytes(ROOM, 8, 1000, 32, 8)).isEqualTo(8 * row + counters);
    assertThat(RowGroup.mostRoomBytes(ROOM, 9, 1024, 32, 8)).isEqualTo(MOST + counters);
    // none is longer alone than its room, and 16,384 tokens of four heads take 2 GiB
    assertThat(RowGroup.mostRoomBytes(ROOM, 1L << 40, 131_072, 128, 8))
        .isEqualTo((2L << 30) + counters);
    assertThat(RowGroup.mostRoomBytes(ROOM, 1, 16_384, 32, 8)).isEqualTo((2L << 30) + counters);
    assertThat(RowGroup.mostRoomBytes(ROOM, 1, 12_288, 32, 8))
        .isEqualTo(2L * 4 * 12_288 * 12_288 + counters);
    // five rows of 1,536 are in two groups, and as many of 1,024 in one
    assertThat(RowGroup.mostRoomBytes(ROOM, 5, 1536, 32, 8)).isEqualTo(MOST + counters);
  }

  private static int max(int[] rows) {
    return Arrays.stream(rows).max().getAsInt();
  }
}
