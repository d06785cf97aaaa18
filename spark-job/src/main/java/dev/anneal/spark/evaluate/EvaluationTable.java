package dev.anneal.spark.evaluate;

import dev.anneal.spark.evaluate.EvaluationResult.Loss;
import dev.anneal.spark.evaluate.EvaluationResult.Losses;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/**
 * The losses as rows of texts: of all rows first, then of those sources with the most tokens.
 *
 * @param head names of the columns
 * @param lines a text for each column
 * @param untold how many sources have no line
 */
record EvaluationTable(List<String> head, List<List<String>> lines, int untold) {
  private static final String ALL = "all rows";
  private static final String NO_SOURCE = "(no source)";

  /** Of longer names the end is left out. */
  private static final int MAX_NAME = 60;

  /**
   * The table of a result.
   *
   * @param mostSources lines for sources
   */
  static EvaluationTable of(EvaluationResult result, int mostSources) {
    boolean adapted = result.all().adapted() != null;
    List<String> head =
        adapted
            ? List.of("", "rows", "tokens", "loss", "adapted", "perplexity", "adapted")
            : List.of("", "rows", "tokens", "loss", "perplexity");
    List<List<String>> lines = new ArrayList<>();
    lines.add(line(ALL, result.all()));
    Comparator<Map.Entry<String, Losses>> mostTokensFirst =
        Comparator.comparingLong(source -> -source.getValue().targetTokens());
    result.sources().entrySet().stream()
        .sorted(mostTokensFirst.thenComparing(Map.Entry.comparingByKey()))
        .limit(mostSources)
        .forEach(source -> lines.add(line(name(source.getKey()), source.getValue())));
    return new EvaluationTable(head, lines, Math.max(0, result.sources().size() - mostSources));
  }

  private static String name(String source) {
    if (source.isEmpty()) {
      return NO_SOURCE;
    }
    String printable = source.replaceAll("\\p{C}", "\uFFFD");
    return printable.codePointCount(0, printable.length()) <= MAX_NAME
        ? printable
        : printable.substring(0, printable.offsetByCodePoints(0, MAX_NAME - 3)) + "...";
  }

  private static List<String> line(String name, Losses losses) {
    List<String> line = new ArrayList<>(List.of(name, count(losses.rows())));
    line.add(count(losses.targetTokens()));
    List<Loss> both =
        Stream.of(losses.base(), losses.adapted()).filter(loss -> loss != null).toList();
    both.forEach(loss -> line.add(String.format(Locale.ROOT, "%.4f", loss.mean())));
    both.forEach(loss -> line.add(perplexity(loss.perplexity())));
    return line;
  }

  private static String count(long count) {
    return String.format(Locale.ROOT, "%,d", count);
  }

  private static String perplexity(double value) {
    return String.format(Locale.ROOT, value < 10_000 ? "%.3f" : "%.3e", value);
  }

  /** Lines for a terminal. */
  List<String> text() {
    List<List<String>> all = new ArrayList<>(List.of(head));
    all.addAll(lines);
    int[] widths = new int[head.size()];
    for (List<String> line : all) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], line.get(i).length());
      }
    }
    List<String> text = new ArrayList<>();
    for (List<String> line : all) {
      StringBuilder padded = new StringBuilder(line.get(0));
      padded.append(" ".repeat(widths[0] - line.get(0).length()));
      for (int i = 1; i < widths.length; i++) {
        padded.append(" ".repeat(widths[i] - line.get(i).length() + 2)).append(line.get(i));
      }
      text.add(padded.toString().stripTrailing());
    }
    if (untold > 0) {
      text.add("(and %s more sources)".formatted(untold));
    }
    return text;
  }
}
