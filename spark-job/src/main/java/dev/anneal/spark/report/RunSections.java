package dev.anneal.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.spark.output.WhereTimeGoes;
import dev.anneal.spark.report.NextCommands.Next;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** What a page tells of one run beside its curves. */
final class RunSections {
  private static final int MOST_CHECKPOINTS = 20;

  private final HtmlPage page;
  private final RunView run;
  private final String heading;

  /**
   * @param heading tag of the sections' headings
   */
  RunSections(HtmlPage page, RunView run, String heading) {
    this.page = page;
    this.run = run;
    this.heading = heading;
  }

  void write() {
    samples();
    next();
    attempts();
    phases();
    stepTimes();
    checkpoints();
    dataset();
    ranks();
    versions();
    configuration();
  }

  private void head(String text) {
    page.line(heading, null, text);
  }

  private void samples() {
    JsonNode samples = run.record().path("samples");
    if (samples.isEmpty()) {
      return;
    }
    head("Held-out prompts, before and after");
    for (JsonNode sample : samples) {
      page.open("article", null);
      page.line("div", "text prompt", sample.path("prompt").asText());
      page.open("div", "side");
      page.column("Before training", sample.path("before").asText());
      for (JsonNode answer : sample.path("between")) {
        page.column("After step " + Texts.count(answer.path("step")), answer.path("text").asText());
      }
      if (sample.path("after").isTextual()) {
        page.column("After training", sample.path("after").textValue());
      }
      page.close("div");
      page.close("article");
    }
  }

  private void next() {
    List<Next> all = NextCommands.of(run);
    if (all.isEmpty()) {
      return;
    }
    head("What to do next");
    for (Next next : all) {
      page.line("div", "quiet", next.text());
      if (next.line() != null) {
        page.line("pre", null, next.line());
      }
    }
  }

  private void attempts() {
    JsonNode attempts = run.record().path("attempts");
    if (attempts.isEmpty()) {
      return;
    }
    head("Attempts");
    int number = 0;
    for (JsonNode attempt : attempts) {
      number++;
      JsonNode from = attempt.path("resumed_from_step");
      JsonNode ended = attempt.path("ended_at");
      page.open("div", "attempt");
      page.line(
          "div",
          "quiet",
          "Attempt %s, %s: %s to %s"
              .formatted(
                  number,
                  from.isNumber() ? "after step " + Texts.count(from) : "from the first step",
                  Texts.moment(attempt.path("began_at")),
                  Texts.moment(ended)));
      page.line(
          "div",
          null,
          attempt.path("ended").isTextual()
              ? attempt.path("ended").textValue()
              : run.isRunning() ? "under way" : Texts.NONE);
      page.close("div");
    }
  }

  private void phases() {
    Map<String, Duration> phases = Phases.of(run);
    if (phases.isEmpty()) {
      return;
    }
    head("Time by phase");
    long longest = phases.values().stream().mapToLong(Duration::toMillis).max().orElse(1);
    page.open("div", "bars");
    phases.forEach(
        (phase, time) -> bar(phase, Texts.time(time), (double) time.toMillis() / longest));
    page.close("div");
  }

  private void stepTimes() {
    WhereTimeGoes.of(run.metrics())
        .ifPresent(
            times -> {
              head("Time of a step");
              page.line(
                  "p",
                  "quiet",
                  String.format(
                      Locale.ROOT,
                      "Medians of the last %,d steps. The parts overlap, so they do not add up to the step.",
                      times.steps()));
              page.open("div", "bars");
              bar("step", millis(times.step()), 1);
              times.parts().forEach((part, time) -> bar(part, millis(time), time / times.step()));
              page.close("div");
            });
  }

  private static String millis(double millis) {
    return String.format(Locale.ROOT, "%,.1f ms", millis);
  }

  private void bar(String name, String value, double share) {
    page.line("span", null, name);
    page.line("span", null, value);
    page.bar(share);
  }

  private void checkpoints() {
    JsonNode completed = run.record().at("/checkpoints/completed");
    JsonNode last = run.record().at("/checkpoints/last_complete_step");
    if (completed.isEmpty() && !last.isNumber()) {
      return;
    }
    head("Checkpoints");
    page.line(
        "p",
        null,
        "The last complete one is that after step %s; checkpoint.keep says how many stay."
            .formatted(Texts.count(last)));
    List<List<String>> lines = new ArrayList<>();
    for (int i = completed.size() - 1; i >= Math.max(0, completed.size() - MOST_CHECKPOINTS); i--) {
      JsonNode checkpoint = completed.get(i);
      lines.add(
          List.of(
              "step " + Texts.count(checkpoint.path("step")), Texts.moment(checkpoint.path("at"))));
    }
    if (!lines.isEmpty()) {
      page.open("details", null);
      page.line("summary", null, "When the last %s were complete".formatted(lines.size()));
      page.table(List.of("after", "complete at"), lines);
      page.close("details");
    }
  }

  private void dataset() {
    DatasetManifest dataset = run.dataset();
    if (dataset == null) {
      return;
    }
    head("Data set");
    List<List<String>> lines = new ArrayList<>();
    String full = String.format(Locale.ROOT, "%.1f%%", 100 * dataset.train().packingEfficiency());
    lines.add(part("train", dataset.train(), full));
    if (dataset.eval().rows() > 0) {
      // one row a sequence, never packed
      lines.add(part("held out", dataset.eval(), Texts.NONE));
    }
    page.table(List.of("", "rows", "sequences", "tokens", "learned", "full"), lines);
    rest(dataset.rows());
    JsonNode evaluated = run.record().at("/dataset/eval_rows");
    if (dataset.eval().rows() == 0 && evaluated.asLong() > 0) {
      page.line("p", null, Texts.count(evaluated) + " rows of data.eval_source are evaluated on.");
    }
    page.line("h4", "quiet", "Rows by their length in tokens");
    SortedMap<Integer, Long> lengths = dataset.tokenLengths();
    if (lengths == null || lengths.isEmpty()) {
      page.line("p", "quiet", "dataset.json tells none.");
    } else {
      long most = lengths.values().stream().mapToLong(Long::longValue).max().orElse(1);
      page.open("div", "bars");
      lengths.forEach(
          (longest, rows) ->
              bar(
                  longest / 2 + 1 >= longest ? "" + longest : (longest / 2 + 1) + "–" + longest,
                  Texts.count(rows),
                  (double) rows / most));
      page.close("div");
    }
    dataset.notes().forEach(note -> page.line("p", "quiet", note));
  }

  private static List<String> part(String name, DatasetManifest.Part part, String full) {
    return List.of(
        name,
        Texts.count(part.rows()),
        Texts.count(part.sequences()),
        Texts.count(part.tokens()),
        Texts.count(part.targetTokens()),
        full);
  }

  private void rest(DatasetManifest.Rows rows) {
    SortedMap<String, Long> leftOut = new TreeMap<>();
    if (rows.bad() != null) {
      leftOut.putAll(rows.bad());
    }
    if (rows.dropped() != null) {
      rows.dropped().forEach((reason, count) -> leftOut.merge(reason, count, Long::sum));
    }
    List<String> told = new ArrayList<>();
    told.add("%s rows were read".formatted(Texts.count(rows.read())));
    if (rows.truncated() > 0) {
      told.add("%s cut short".formatted(Texts.count(rows.truncated())));
    }
    if (rows.split() > 0) {
      told.add("%s split".formatted(Texts.count(rows.split())));
    }
    leftOut.forEach(
        (reason, count) -> told.add("%s left out: %s".formatted(Texts.count(count), reason)));
    page.line("p", null, String.join("; ", told) + ".");
  }

  private void ranks() {
    JsonNode ranks = run.record().path("ranks");
    if (ranks.isEmpty()) {
      return;
    }
    head("Ranks of the last attempt");
    List<List<String>> lines = new ArrayList<>();
    for (JsonNode rank : ranks) {
      JsonNode gpu = rank.path("gpu");
      lines.add(
          List.of(
              rank.path("rank").asText(),
              rank.path("host").asText(),
              rank.path("cores").asText(),
              Texts.bytes(rank.path("memory_bytes")),
              gpu.isObject() ? gpu.path("name").asText() : Texts.NONE,
              Texts.bytes(gpu.path("memory_bytes")),
              Texts.bytes(rank.path("peak_memory_bytes")),
              gpu.path("driver").asText(Texts.NONE)));
    }
    page.table(
        List.of(
            "rank",
            "host",
            "cores",
            "memory of the host",
            "GPU",
            "its memory",
            "most held by the rank",
            "driver"),
        lines);
  }

  private void versions() {
    head("Versions");
    page.open("dl", null);
    run.record()
        .path("versions")
        .properties()
        .forEach(version -> page.term(version.getKey(), version.getValue().asText()));
    run.record()
        .path("spark")
        .properties()
        .forEach(value -> page.term("spark " + value.getKey(), value.getValue().asText()));
    page.close("dl");
  }

  private void configuration() {
    head("Configuration");
    page.open("details", null);
    page.line("summary", null, "All keys, as they were resolved");
    List<List<String>> lines = new ArrayList<>();
    Settings.of(run.record()).forEach((key, value) -> lines.add(List.of(key, value)));
    page.table("words", List.of("key", "value"), lines);
    page.close("details");
  }
}
