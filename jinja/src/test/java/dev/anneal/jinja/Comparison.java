package dev.anneal.jinja;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.jinja.error.TemplateException;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Renders here what Python has rendered, and counts what became of it. */
final class Comparison {
  private static final Template.Settings SETTINGS =
      new Template.Settings(
          LocalDateTime.of(2026, 2, 1, 3, 4, 5).atZone(ZoneOffset.UTC), Duration.ofSeconds(30));
  private static final ObjectMapper JSON = new ObjectMapper();

  private final List<String> differences = new ArrayList<>();
  private int equal;
  private int failed;
  private final Refusals refusals = new Refusals();

  /** A case as Python writes it, with a text or without one, then with what was raised. */
  private record Case(
      String template, Map<String, Object> variables, String text, List<List<Integer>> spans) {

    @SuppressWarnings("unchecked")
    static Case of(String line) throws IOException {
      Map<String, Object> fields = JSON.readValue(line, new TypeReference<>() {});
      return new Case(
          (String) fields.get("template"),
          (Map<String, Object>) fields.get("variables"),
          (String) fields.get("text"),
          (List<List<Integer>>) fields.get("spans"));
    }

    /** What the assistant says; it may be printed to nowhere, beyond the text. */
    List<List<Integer>> spansInside() {
      int length = text.codePointCount(0, text.length());
      return spans.stream()
          .map(span -> span.stream().map(end -> Math.min(end, length)).toList())
          .toList();
    }
  }

  static Comparison of(Path cases) throws IOException, InterruptedException {
    Comparison comparison = new Comparison();
    try (BufferedReader lines = Files.newBufferedReader(cases)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        comparison.compare(Case.of(line), line);
      }
    }
    comparison.refusals.explain();
    comparison.differences.addAll(comparison.refusals.unexplained());
    return comparison;
  }

  private void compare(Case expected, String line) {
    try {
      Template.Rendering rendering =
          Template.of(expected.template()).render(expected.variables(), SETTINGS);
      if (!rendering.text().equals(expected.text())) {
        differences.add(line + " but it is " + rendering.text());
      } else if (!spans(rendering).equals(expected.spansInside())) {
        differences.add(line + " but the assistant says " + spans(rendering));
      } else {
        equal++;
      }
    } catch (TemplateException e) {
      if (expected.text() == null) {
        failed++;
      } else if (e.kind() == TemplateException.Kind.UNSUPPORTED) {
        refusals.add(line, expected.text(), e.getMessage());
      } else {
        differences.add(line + " but it fails: " + e.getMessage());
      }
    }
  }

  // Python counts code points
  private static List<List<Integer>> spans(Template.Rendering rendering) {
    String text = rendering.text();
    return rendering.generations().stream()
        .map(span -> List.of(text.codePointCount(0, span[0]), text.codePointCount(0, span[1])))
        .toList();
  }

  /** Cases whose renderings are not the same, with what was rendered here. */
  List<String> differences() {
    return differences;
  }

  /** How many were rendered to the same text. */
  int equal() {
    return equal;
  }

  /** Those that Python renders and this engine refuses. */
  Refusals refusals() {
    return refusals;
  }

  int cases() {
    return equal + failed + refusals.count() + differences.size() - refusals.unexplained().size();
  }

  @Override
  public String toString() {
    return "%s renderings: %s equal, %s fail in both, %s, %s different"
        .formatted(cases(), equal, failed, refusals, differences.size());
  }
}
