package dev.anneal.jinja;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/**
 * Cases that Python renders and this engine refuses. They are all right where another process of
 * Python makes another text of them, and for a list of constructs.
 */
final class Refusals {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Constructs by what a refusal says of them; {@code package-info.java} names them to readers. */
  private static final Map<String, String> CONSTRUCTS = constructs();

  private final List<Refused> all = new ArrayList<>();
  private final Map<String, Integer> named = new TreeMap<>();
  private final List<String> unexplained = new ArrayList<>();
  private int anew;

  private record Refused(String line, String text, String reason) {}

  private static Map<String, String> constructs() {
    Map<String, String> constructs = new LinkedHashMap<>();
    constructs.put("makes bytes", "bytes");
    constructs.put("complex numbers", "complex numbers");
    constructs.put("is not there for templates", "rare attributes");
    constructs.put("is there for templates once", "rare attributes");
    constructs.put("depends on Python's memory", "sameas");
    // where the text does not show what is another each time, but its length or the like
    constructs.put("the place where it lies in memory", "places in memory");
    constructs.put("their places in memory", "places in memory");
    constructs.put("elements of a set in another order each time", "order of sets");
    constructs.put("each time, and a data set is to be the same", "random and lipsum");
    return constructs;
  }

  void add(String line, String text, String reason) {
    all.add(new Refused(line, text, reason));
  }

  /** Lets Python render them once more. */
  void explain() throws IOException, InterruptedException {
    if (all.isEmpty()) {
      return;
    }
    Path cases = Files.createTempFile("refused", ".jsonl");
    try {
      Files.write(cases, all.stream().map(Refused::line).toList());
      Path texts = PythonJinja.cases("fuzz", "again", List.of(cases.toString()));
      try (BufferedReader lines = Files.newBufferedReader(texts)) {
        for (Refused refused : all) {
          explain(refused, JSON.readValue(lines.readLine(), String.class));
        }
      }
    } finally {
      Files.delete(cases);
    }
  }

  private void explain(Refused refused, String again) {
    if (!Objects.equals(refused.text(), again)) {
      anew++;
      return;
    }
    CONSTRUCTS.entrySet().stream()
        .filter(construct -> refused.reason().contains(construct.getKey()))
        .findFirst()
        .ifPresentOrElse(
            construct -> named.merge(construct.getValue(), 1, Integer::sum),
            () -> unexplained.add(refused.line() + " but it is refused: " + refused.reason()));
  }

  List<String> unexplained() {
    return unexplained;
  }

  int count() {
    return all.size();
  }

  /** How many are refused for one of the constructs alone. */
  int ofConstructs() {
    return named.values().stream().mapToInt(Integer::intValue).sum();
  }

  @Override
  public String toString() {
    return "%s refused (%s another text each time; %s)".formatted(count(), anew, named);
  }
}
