package dev.anneal.spark.doctor;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

/** A row for every check and a column for every place; of many places, some at a time. */
record Table(List<PlaceReport> places) {
  private static final int COLUMNS = 5;

  String text() {
    StringBuilder text = new StringBuilder();
    for (int from = 0; from < places.size(); from += COLUMNS) {
      if (from > 0) {
        text.append('\n');
      }
      text.append(block(places.subList(from, Math.min(places.size(), from + COLUMNS))));
    }
    return text.toString();
  }

  private static String block(List<PlaceReport> places) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(row("", places, PlaceReport::place));
    rows.add(row("host", places, PlaceReport::host));
    Set<String> checks = new LinkedHashSet<>();
    places.forEach(place -> checks.addAll(place.checks().keySet()));
    for (String check : checks) {
      rows.add(row(check, places, place -> value(place, check)));
    }
    int[] widths = new int[places.size() + 1];
    for (List<String> row : rows) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], row.get(i).length());
      }
    }
    StringBuilder text = new StringBuilder();
    rows.forEach(row -> text.append(line(row, widths)).append('\n'));
    return text.toString();
  }

  private static List<String> row(
      String name, List<PlaceReport> places, Function<PlaceReport, String> value) {
    List<String> row = new ArrayList<>(List.of(name));
    places.forEach(place -> row.add(value.apply(place)));
    return row;
  }

  private static String value(PlaceReport place, String check) {
    Finding finding = place.checks().get(check);
    return finding == null ? "" : finding.value();
  }

  private static String line(List<String> row, int[] widths) {
    StringBuilder line = new StringBuilder();
    for (int i = 0; i < widths.length; i++) {
      line.append(row.get(i)).append(" ".repeat(widths[i] - row.get(i).length() + 2));
    }
    return line.toString().stripTrailing();
  }
}
