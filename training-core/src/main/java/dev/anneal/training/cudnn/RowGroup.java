package dev.anneal.training.cudnn;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Rows of a batch that one plan takes together.
 *
 * @param rows which, ascending
 * @param rowBucket rows of the plan
 * @param longest tokens of a row of the plan
 * @param headParts plans one after the other that take so many equal parts of the heads
 */
public record RowGroup(List<Integer> rows, int rowBucket, int longest, int headParts) {
  /** Beside the scores, cuDNN's room has a few counters. */
  private static final long COUNTER_BYTES = 64 << 10;

  /** Sums of a part's heads begin at an address that cuDNN takes. */
  private static final int ALIGNED_HEADS = 4;

  /**
   * What a backward may hold of the scores' gradient at once, in bytes.
   *
   * @param together of rows that one plan takes
   * @param alone of a row whose smallest part of the heads is more than that
   */
  public record Room(long together, long alone) {}

  /** All rows, for a forward, whose plan holds no scores. */
  public static RowGroup all(int[] rowLengths) {
    int longest = Arrays.stream(rowLengths).max().orElseThrow();
    return new RowGroup(
        IntStream.range(0, rowLengths.length).boxed().toList(),
        Buckets.of(rowLengths.length),
        Buckets.tokens(longest),
        1);
  }

  /**
   * As few groups as hold no more scores at once than there is room for: the longest rows first,
   * with as many of the next as go with them, each of which is padded to the longest.
   *
   * @return none if a row is too long even for the smallest part of the heads
   */
  public static List<RowGroup> within(Room room, int[] rowLengths, int heads, int kvHeads) {
    int[] byLength =
        IntStream.range(0, rowLengths.length)
            .boxed()
            .sorted(Comparator.comparing((Integer row) -> -rowLengths[row]))
            .mapToInt(Integer::intValue)
            .toArray();
    List<RowGroup> groups = new ArrayList<>();
    int done = 0;
    while (done < byLength.length) {
      int longest = Buckets.tokens(rowLengths[byLength[done]]);
      long rowBytes = scoreBytes(1, heads, longest);
      int count = Math.min(Buckets.within(room.together() / rowBytes), byLength.length - done);
      int parts = 1;
      if (count == 0) {
        count = 1;
        parts = headParts(rowBytes, room, heads, kvHeads);
        if (parts == 0) {
          return List.of();
        }
      }
      List<Integer> rows = Arrays.stream(byLength, done, done + count).sorted().boxed().toList();
      groups.add(new RowGroup(rows, Buckets.of(count), longest, parts));
      done += count;
    }
    return groups;
  }

  /** What a backward holds of the scores' gradient at once, in bf16. */
  private static long scoreBytes(long rows, long heads, long longest) {
    return Short.BYTES * rows * heads * longest * longest;
  }

  /** What cuDNN wants for a backward, at most. */
  public long roomBytes(int heads) {
    return scoreBytes(rowBucket, heads / headParts, longest) + COUNTER_BYTES;
  }

  /**
   * The most that a group of {@link #within} wants where no batch has more rows or a longer one:
   * also where that many, or one so long, would not be in one group, since those of others are.
   */
  public static long mostRoomBytes(Room room, long rows, long longest, int heads, int kvHeads) {
    long rowBytes = scoreBytes(1, heads, Buckets.tokens(Math.toIntExact(longest)));
    // more do not fit, so how many more is no matter
    int count = Math.toIntExact(Math.min(rows, room.together() / rowBytes + 1));
    long together = Math.min(room.together(), rowBytes * Buckets.of(count));
    long alone = Math.min(room.alone(), rowBytes / mostHeadParts(heads, kvHeads));
    return Math.max(together, alone) + COUNTER_BYTES;
  }

  /** Into how many parts the heads of a row fall; 0 if it is too long. */
  private static int headParts(long rowBytes, Room room, int heads, int kvHeads) {
    int most = mostHeadParts(heads, kvHeads);
    return headParts(heads, kvHeads)
        .filter(parts -> rowBytes / parts <= room.together())
        .findFirst()
        .orElse(rowBytes / most <= room.alone() ? most : 0);
  }

  private static int mostHeadParts(int heads, int kvHeads) {
    return headParts(heads, kvHeads).max().orElse(1);
  }

  /** Into how many equal parts heads can fall, ascending. */
  private static IntStream headParts(int heads, int kvHeads) {
    return IntStream.rangeClosed(1, kvHeads)
        .filter(parts -> kvHeads % parts == 0)
        .filter(parts -> heads / parts % ALIGNED_HEADS == 0);
  }
}
