package dev.anneal.data.manifest;

import dev.anneal.data.manifest.DatasetManifest.Part;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** A prepared data set at a glance: a short table and how long its rows are. */
public final class DatasetReport {
  private static final int WIDEST_BAR = 40;

  private DatasetReport() {}

  /** Lines of text, without an end of line behind the last. */
  public static String of(DatasetManifest manifest) {
    List<String> lines = new ArrayList<>();
    lines.add(line("", "rows", "sequences", "tokens", "learned", "full"));
    String full = String.format(Locale.ROOT, "%.1f%%", 100 * manifest.train().packingEfficiency());
    lines.add(part("train", manifest.train(), full));
    if (manifest.eval().rows() > 0) {
      // one row a sequence, never packed
      lines.add(part("held out", manifest.eval(), ""));
    }
    lines.addAll(rest(manifest.rows()));
    lines.add("");
    lines.add("tokens a row");
    lines.addAll(histogram(manifest.tokenLengths()));
    if (!manifest.notes().isEmpty()) {
      lines.add("");
      lines.addAll(manifest.notes());
    }
    return String.join("\n", lines);
  }

  private static String part(String name, Part part, String full) {
    return line(
        name,
        count(part.rows()),
        count(part.sequences()),
        count(part.tokens()),
        count(part.targetTokens()),
        full);
  }

  private static String line(
      String name, String rows, String sequences, String tokens, String learned, String full) {
    return "%-9s %13s %13s %16s %16s %7s"
        .formatted(name, rows, sequences, tokens, learned, full)
        .stripTrailing();
  }

  private static List<String> rest(DatasetManifest.Rows rows) {
    List<String> lines = new ArrayList<>();
    if (rows.truncated() > 0) {
      lines.add("%-9s %13s".formatted("cut short", count(rows.truncated())));
    }
    if (rows.split() > 0) {
      lines.add("%-9s %13s".formatted("split", count(rows.split())));
    }
    SortedMap<String, Long> leftOut = new TreeMap<>(rows.bad());
    rows.dropped().forEach((reason, count) -> leftOut.merge(reason, count, Long::sum));
    leftOut.forEach(
        (reason, count) -> lines.add("%-9s %13s  %s".formatted("left out", count(count), reason)));
    return lines;
  }

  private static List<String> histogram(SortedMap<Integer, Long> lengths) {
    long most = lengths.values().stream().mapToLong(Long::longValue).max().orElse(1);
    List<String> lines = new ArrayList<>();
    for (Map.Entry<Integer, Long> bucket : lengths.entrySet()) {
      int longest = bucket.getKey();
      int shortest = longest / 2 + 1;
      String bar = "#".repeat((int) Math.ceil((double) WIDEST_BAR * bucket.getValue() / most));
      lines.add(
          "%9s %13s  %s"
              .formatted(
                  shortest == longest ? longest : shortest + "-" + longest,
                  count(bucket.getValue()),
                  bar));
    }
    return lines;
  }

  private static String count(long count) {
    return String.format(Locale.ROOT, "%,d", count);
  }
}
