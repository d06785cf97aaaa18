package dev.anneal.spark.profile;

import dev.anneal.training.timing.Lane;
import dev.anneal.training.timing.Profile.ProfiledSpan;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Locale;

/**
 * The rows of a trace that a rank's spans are drawn in. In a row a span lies within another or
 * beside it; a lane of several streams, whose spans overlap, has several.
 */
final class TraceRows {
  /** Rows that a lane has room for; a span that fits none of them is in the last. */
  static final int MOST = 10;

  private static final List<Lane> LANES = List.of(Lane.values());

  /** A span in its row. */
  record Placed(int row, ProfiledSpan span) {}

  private TraceRows() {}

  static List<Placed> of(List<ProfiledSpan> spans) {
    List<Placed> placed = new ArrayList<>();
    for (Lane lane : LANES) {
      List<Deque<ProfiledSpan>> rows = new ArrayList<>();
      spans.stream()
          .filter(span -> span.lane() == lane)
          .sorted(
              Comparator.comparingLong(ProfiledSpan::beginNanos)
                  .thenComparing(Comparator.comparingLong(ProfiledSpan::endNanos).reversed()))
          .forEach(span -> placed.add(new Placed(number(lane, place(rows, span)), span)));
    }
    return placed;
  }

  /** What a row is called: {@code exchange}, {@code exchange 2}. */
  static String name(int row) {
    String lane = LANES.get((row - 1) / MOST).name().toLowerCase(Locale.ROOT);
    int among = (row - 1) % MOST;
    return among == 0 ? lane : lane + " " + (among + 1);
  }

  private static int number(Lane lane, int among) {
    return 1 + LANES.indexOf(lane) * MOST + among;
  }

  private static int place(List<Deque<ProfiledSpan>> rows, ProfiledSpan span) {
    for (int row = 0; row < MOST; row++) {
      if (row == rows.size()) {
        rows.add(new ArrayDeque<>());
      }
      Deque<ProfiledSpan> open = rows.get(row);
      while (!open.isEmpty() && open.peek().endNanos() <= span.beginNanos()) {
        open.pop();
      }
      if (open.isEmpty() || span.endNanos() <= open.peek().endNanos()) {
        open.push(span);
        return row;
      }
    }
    return MOST - 1;
  }
}
