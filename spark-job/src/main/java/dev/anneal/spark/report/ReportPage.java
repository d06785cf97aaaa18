package dev.anneal.spark.report;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.spark.AnnealVersion;
import dev.anneal.training.trainer.StepMetrics;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/** {@code report.html}: one run, or several whose curves lie over each other. */
final class ReportPage {
  /** Steps whose pace tells how long the rest takes. */
  private static final int PACE_STEPS = 50;

  private final HtmlPage page;
  private final List<RunView> runs;
  private final List<Curves> curves;
  private final List<String> names;

  private ReportPage(List<RunView> runs, UnaryOperator<String> masked) {
    this.runs = runs;
    this.curves = runs.stream().map(run -> new Curves(run.metrics())).toList();
    this.names = names(runs);
    String title = runs.size() == 1 ? names.get(0) : "%s runs".formatted(runs.size());
    this.page = HtmlPage.scripted(title + " – Anneal", masked, PageStyle.CSS, script());
    page.line("h1", null, title);
  }

  /**
   * The file's content.
   *
   * @param masked what every text becomes before it is written
   */
  static byte[] of(List<RunView> runs, UnaryOperator<String> masked) {
    ReportPage report = new ReportPage(runs, masked);
    if (runs.size() == 1) {
      report.one(runs.get(0), report.curves.get(0));
    } else {
      report.several();
    }
    report.foot();
    return report.page.bytes();
  }

  /** Their folders' names, or the whole of their places where two have the same. */
  private static List<String> names(List<RunView> runs) {
    List<String> names = runs.stream().map(RunView::name).toList();
    return Set.copyOf(names).size() == names.size()
        ? names
        : runs.stream().map(RunView::display).toList();
  }

  private void one(RunView run, Curves measured) {
    page.open("p", null);
    page.line("span", "state " + stateStyle(run), run.state());
    page.line("span", null, standing(run, measured));
    page.close("p");
    page.line("p", "quiet", run.display());
    error(run);
    tiles(run, measured);
    charts();
    new RunSections(page, run, "h2").write();
  }

  // what stands in run.json is no name of a class
  private static String stateStyle(RunView run) {
    return switch (run.state()) {
      case "succeeded", "failed", "running" -> run.state();
      default -> "quiet";
    };
  }

  private void error(RunView run) {
    JsonNode error = run.record().path("error");
    if (error.isTextual()) {
      page.line("p", "error", error.textValue());
    }
  }

  private static String standing(RunView run, Curves measured) {
    long planned = run.record().path("planned_steps").asLong();
    List<StepMetrics> steps = measured.steps();
    long done = steps.isEmpty() ? 0 : steps.get(steps.size() - 1).step();
    String of = planned == 0 ? "" : " of " + Texts.count(planned);
    String left =
        run.isRunning() && done > 0 && planned > done
            ? ", about %s left".formatted(Texts.time(left(steps, planned - done)))
            : "";
    return done == 0 && !run.isRunning() ? "" : "step " + Texts.count(done) + of + left;
  }

  private static Duration left(List<StepMetrics> steps, long rest) {
    List<StepMetrics> last = steps.subList(Math.max(0, steps.size() - PACE_STEPS), steps.size());
    return Duration.ofMillis((long) (1000 * seconds(last) / last.size() * rest));
  }

  private static double seconds(List<StepMetrics> steps) {
    return steps.stream()
        .filter(step -> step.tokensPerSecond() > 0)
        .mapToDouble(step -> step.tokens() / step.tokensPerSecond())
        .sum();
  }

  private void tiles(RunView run, Curves measured) {
    JsonNode totals = run.record().path("totals");
    page.open("div", "tiles");
    tile("time of this driver", run.time().map(Texts::time).orElse(Texts.NONE));
    tile("tokens", Texts.count(totals.path("tokens")));
    tile("tokens learned", Texts.count(totals.path("target_tokens")));
    tile("passes over the data", passes(totals));
    tile("tokens per second", pace(measured).orElse(Texts.NONE));
    tile("peak memory of a rank", Texts.bytes(totals.path("peak_memory_bytes")));
    tile("loss of the last step", Texts.loss(totals.path("last_loss")));
    tile("held-out loss", heldOut(totals));
    if (totals.path("skipped_steps").asLong() > 0) {
      tile("steps skipped: not finite", Texts.count(totals.path("skipped_steps")));
    }
    page.close("div");
  }

  private static String passes(JsonNode totals) {
    JsonNode epochs = totals.path("epochs");
    return epochs.isNumber()
        ? String.format(Locale.ROOT, "%.2f", epochs.doubleValue())
        : Texts.NONE;
  }

  private static String heldOut(JsonNode totals) {
    JsonNode before = totals.path("eval_loss_before");
    JsonNode after = totals.path("eval_loss_after");
    return before.isNumber() && after.isNumber()
        ? "%s → %s".formatted(Texts.loss(before), Texts.loss(after))
        : Texts.loss(after.isNumber() ? after : before);
  }

  private static Optional<String> pace(Curves measured) {
    long tokens = measured.steps().stream().mapToLong(StepMetrics::tokens).sum();
    double seconds = seconds(measured.steps());
    return seconds > 0 ? Optional.of(Texts.count(Math.round(tokens / seconds))) : Optional.empty();
  }

  private void tile(String name, String value) {
    page.open("div", "tile");
    page.line("b", null, value);
    page.line("span", "quiet", name);
    page.close("div");
  }

  private void several() {
    List<List<String>> lines = new ArrayList<>();
    for (int i = 0; i < runs.size(); i++) {
      lines.add(comparison(i));
    }
    page.table(
        List.of(
            "run",
            "state",
            "steps",
            "last loss",
            "held-out loss",
            "tokens per second",
            "peak memory",
            "time"),
        lines);
    charts();
    differences();
    for (int i = 0; i < runs.size(); i++) {
      RunView run = runs.get(i);
      page.open("details", null);
      page.line("summary", null, "%s, %s".formatted(names.get(i), run.state()));
      page.line("p", "quiet", run.display());
      error(run);
      new RunSections(page, run, "h3").write();
      page.close("details");
    }
  }

  private List<String> comparison(int i) {
    RunView run = runs.get(i);
    JsonNode totals = run.record().path("totals");
    return List.of(
        names.get(i),
        run.state(),
        Texts.count(totals.path("steps")),
        Texts.loss(totals.path("last_loss")),
        heldOut(totals),
        pace(curves.get(i)).orElse(Texts.NONE),
        Texts.bytes(totals.path("peak_memory_bytes")),
        run.time().map(Texts::time).orElse(Texts.NONE));
  }

  /** The settings that are not the same in all runs. */
  private void differences() {
    List<Map<String, String>> settings =
        runs.stream().map(run -> Settings.of(run.record())).toList();
    Set<String> keys = new LinkedHashSet<>();
    settings.forEach(of -> keys.addAll(of.keySet()));
    List<List<String>> lines = new ArrayList<>();
    for (String key : keys) {
      List<String> values = settings.stream().map(of -> of.getOrDefault(key, Texts.NONE)).toList();
      if (values.stream().distinct().count() > 1) {
        List<String> line = new ArrayList<>(List.of(key));
        line.addAll(values);
        lines.add(line);
      }
    }
    page.line("h2", null, "Settings that differ");
    if (lines.isEmpty()) {
      page.line("p", "quiet", "None.");
      return;
    }
    List<String> head = new ArrayList<>(List.of("key"));
    head.addAll(names);
    page.table("words", head, lines);
  }

  private void charts() {
    page.charts();
    ObjectNode data = JsonNodeFactory.instance.objectNode();
    data.put("running", runs.stream().anyMatch(RunView::isRunning));
    ArrayNode all = data.putArray("runs");
    for (int i = 0; i < runs.size(); i++) {
      ObjectNode run = all.addObject().put("name", page.masked(names.get(i)));
      run.set("curves", curves.get(i).json());
      ArrayNode checkpoints = run.putArray("checkpoints");
      for (JsonNode checkpoint : runs.get(i).record().at("/checkpoints/completed")) {
        checkpoints.add(checkpoint.path("step").asLong());
      }
      ArrayNode restarts = run.putArray("restarts");
      JsonNode attempts = runs.get(i).record().path("attempts");
      for (int a = 1; a < attempts.size(); a++) {
        restarts.add(attempts.get(a).path("resumed_from_step").asLong());
      }
    }
    page.data("data", data.toString());
  }

  private void foot() {
    String at = Texts.moment(runs.get(0).at());
    page.line("p", "quiet", "As of %s. Made by Anneal %s.".formatted(at, AnnealVersion.anneal()));
  }

  private static String script() {
    try (InputStream in = ReportPage.class.getResourceAsStream("report.js")) {
      return new String(in.readAllBytes(), UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
