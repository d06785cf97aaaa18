package dev.anneal.spark.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.spark.Anneal;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.output.MetricsFile;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.spark.output.ObjectStore;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pages made from the files of runs. */
class RunReportTest {
  @TempDir Path dir;

  @Test
  void aFinishedRunHasItsPageInItsFolder() throws IOException {
    WrittenRun run = WrittenRun.in(dir.resolve("tuned")).metrics(40);
    String html = page(run);
    assertThat(html)
        .startsWith("<!DOCTYPE html>")
        .contains("<h1>tuned</h1>", ">succeeded<", "step 40 of 40", "2.5000 → 0.4000")
        .contains("Who has the hat?", "After step 20", "Ella, aye.", "Aye, Ella hath it.")
        .contains("NVIDIA H200", "4.1.1", "1,200", "3.0 GiB", "2.0 GiB")
        .contains("7 left out: no output", "3 left out: too long", "33–64", "129–256")
        .contains("The last complete one is that after step 40;");
    assertThat(html.replace("'http://www.w3.org/2000/svg'", ""))
        .as("nothing comes from outside")
        .doesNotContain("http:", "https:", "src=", "url(");
  }

  @Test
  void aRunThatWentOnAfterAKillHasEachStepOnce() throws IOException {
    WrittenRun run = WrittenRun.in(dir.resolve("tuned"));
    try (MetricsFile file = MetricsFile.open(run.folder(), new MetricsLog())) {
      file.evaluation(0, 2.5);
      LongStream.rangeClosed(1, 28).forEach(step -> file.step(WrittenRun.step(step)));
      file.rewind(20);
      LongStream.rangeClosed(21, 40).forEach(step -> file.step(WrittenRun.step(step)));
      file.requireComplete();
    }
    JsonNode curves = data(page(run)).at("/runs/0/curves");
    assertThat(steps(curves.path("loss")))
        .containsExactlyElementsOf(LongStream.rangeClosed(1, 40).boxed().toList());
    assertThat(curves.at("/loss/y")).noneMatch(JsonNode::isNull);
    assertThat(data(page(run)).at("/runs/0/restarts").toString()).isEqualTo("[20,30]");
    assertThat(data(page(run)).at("/runs/0/checkpoints").toString()).isEqualTo("[10,20,30,40]");
  }

  @Test
  void aRunUnderWayIsReadAsFarAsItsLinesAreWhole() throws IOException {
    WrittenRun run = WrittenRun.in(dir.resolve("live")).metrics(12);
    ObjectNode record = record();
    record.put("state", "running").putNull("ended_at");
    record.put("planned_steps", 400);
    run.record(record);
    Path file = run.path().resolve("metrics.jsonl");
    Files.writeString(file, Files.readString(file) + "{\"step\":13,\"lo");
    String html = page(run);
    assertThat(steps(data(html).at("/runs/0/curves/loss"))).hasSize(12).endsWith(12L);
    assertThat(html).contains("step 12 of 400, about", " left");
    assertThat(html).doesNotContain("What to do next");
    assertThat(data(html).path("running").booleanValue()).isTrue();
  }

  @Test
  void theFirstLinesOfALongRunLieInSegments() throws IOException {
    WrittenRun run = WrittenRun.in(dir.resolve("long")).metrics(30);
    Path file = run.path().resolve("metrics.jsonl");
    List<String> lines = Files.readAllLines(file);
    Path segments = Files.createDirectories(run.path().resolve("metrics.segments"));
    Files.write(segments.resolve("00000.jsonl"), lines.subList(0, 11));
    Files.write(segments.resolve("00001.jsonl"), lines.subList(11, 22));
    Files.write(file, lines.subList(20, lines.size()));
    assertThat(steps(data(page(run)).at("/runs/0/curves/loss")))
        .containsExactlyElementsOf(LongStream.rangeClosed(1, 30).boxed().toList());
  }

  @Test
  void aFailedRunSaysWhatEndedItAndEachOfItsAttempts() throws IOException {
    ObjectNode record = record();
    record.put("state", "failed").put("error", "Rank 1 on node-2 was lost. <The end>");
    String html = page(WrittenRun.in(dir.resolve("failed")).record(record).metrics(5));
    assertThat(html)
        .contains("class=\"state failed\"", "Rank 1 on node-2 was lost. &lt;The end&gt;")
        .contains("The driver ended without a word.", "its executor was killed.", "after step 30")
        .doesNotContain("What to do next");
  }

  @Test
  void phasesAreCountedOverAllAttemptsAsFarAsTheyAreKnown() throws IOException {
    Map<String, Duration> phases = Phases.of(view(record()));
    assertThat(phases)
        .containsOnlyKeys(
            "preparing data", "starting ranks", "loading weights", "training", "publishing");
    assertThat(phases.get("preparing data")).hasSeconds(10);
    assertThat(phases.get("starting ranks")).hasSeconds(2 + 2 + 1);
    assertThat(phases.get("loading weights")).hasSeconds(8 + 8 + 4);
    assertThat(phases.get("training"))
        .as("up to the killed driver's last checkpoint")
        .hasSeconds(60 + 40 + 40);
    assertThat(phases.get("publishing")).hasSeconds(5);
  }

  @Test
  void textsOfOthersStayTexts() throws IOException {
    String evil = "</script><script>document.title='x'</script><img src=x onerror=alert(1)>&amp;";
    ObjectNode record = record();
    ((ObjectNode) record.at("/samples/0"))
        .put("prompt", evil)
        .put("before", evil)
        .put("after", evil);
    ((ObjectNode) record.at("/attempts/1")).put("ended", evil);
    ((ObjectNode) record.at("/config/model")).put("path", "file:/" + evil);
    ((ObjectNode) record.path("versions")).put(evil, evil);
    record.put("error", evil).put("state", "\"><b>");
    WrittenRun one = WrittenRun.in(dir.resolve("a<b>&'\"</pre>")).record(record).metrics(3);
    WrittenRun two = WrittenRun.in(dir.resolve("two</script>")).metrics(3);
    for (String html : List.of(page(one), pages(one, two))) {
      assertThat(html).doesNotContain("<script>document", "<img", "<b>&");
      assertThat(html.split("</script>", -1)).as("data and the script").hasSize(3);
      assertThat(html).contains("&lt;/script&gt;&lt;script&gt;document.title=&#39;x&#39;");
    }
    assertThat(data(pages(one, two)).at("/runs/0/name").asText()).isEqualTo("pre>");
    assertThat(data(pages(one, two)).at("/runs/1/name").asText()).isEqualTo("script>");
  }

  @Test
  void severalRunsLieOverEachOtherAndTellWhereTheyDiffer() throws IOException {
    ObjectNode record = record();
    ((ObjectNode) record.at("/config/optimizer")).put("learning_rate", 5e-5);
    WrittenRun one = WrittenRun.in(dir.resolve("x/run")).metrics(40);
    WrittenRun two = WrittenRun.in(dir.resolve("y/run")).record(record).metrics(25);
    String html = pages(one, two);
    JsonNode data = data(html);
    assertThat(data.path("runs")).hasSize(2);
    assertThat(data.at("/runs/0/name").asText())
        .as("runs of the same name go by their place")
        .isEqualTo(dir.resolve("x/run").toString());
    assertThat(steps(data.at("/runs/1/curves/loss"))).hasSize(25);
    assertThat(html)
        .contains("<td>optimizer.learning_rate</td><td>1.0E-4</td><td>5.0E-5</td>")
        .doesNotContain("<td>lora.r</td><td>16</td><td>16</td>");
  }

  @Test
  void rowsOfAnotherSourceAreToldOf() throws IOException {
    ObjectNode record = record();
    record.putObject("dataset").put("eval_rows", 1234);
    WrittenRun run = WrittenRun.in(dir.resolve("tuned")).record(record).metrics(4);
    String sentence = "1,234 rows of data.eval_source are evaluated on.";
    assertThat(page(run)).contains("<td>held out</td>").doesNotContain(sentence);
    ObjectNode dataset = (ObjectNode) WrittenRun.JSON.readTree(WrittenRun.DATASET);
    ((ObjectNode) dataset.path("rows")).put("kept", 280);
    ((ObjectNode) dataset.path("eval")).put("rows", 0).put("sequences", 0).putArray("files");
    Files.write(
        run.path().resolve("dataset/dataset.json"), WrittenRun.JSON.writeValueAsBytes(dataset));
    assertThat(page(run)).contains(sentence).doesNotContain("<td>held out</td>");
  }

  @Test
  void theSameRunTwiceIsOne() throws IOException {
    WrittenRun run = WrittenRun.in(dir.resolve("run")).metrics(4);
    assertThat(data(pages(run, run)).path("runs")).hasSize(1);
  }

  @Test
  void secretsAreMaskedWhereverTheyStand() throws IOException {
    ObjectNode record = record();
    ((ObjectNode) record.at("/samples/0")).put("after", "the key is hunter2");
    WrittenRun run = WrittenRun.in(dir.resolve("hunter2")).record(record).metrics(4);
    RunReport.write(
        List.of(run.path().toString(), WrittenRun.in(dir.resolve("b")).path().toString()),
        dir.resolve("both.html").toString(),
        new Configuration(),
        text -> text.replace("hunter2", "*"));
    assertThat(Files.readString(dir.resolve("both.html"))).doesNotContain("hunter2");
  }

  @Test
  void commandsToGoOnAreQuotedForAShell() throws IOException {
    String html = page(WrittenRun.in(dir.resolve("tuned")).metrics(4));
    assertThat(html)
        .contains(
            "vllm serve &#39;/models/llama 8b&#39; --enable-lora --max-lora-rank 16 --lora-modules tuned=%s/tuned/adapter"
                .formatted(dir))
        .contains("./submit.sh merge --model", "--output %s/tuned-merged --verify".formatted(dir))
        .contains("./submit.sh evaluate --model", "./submit.sh generate --model")
        .doesNotContain("--gpu");
    ObjectNode gpus = record();
    ((ObjectNode) gpus.at("/config/cluster")).put("gpus_per_node", 8);
    ((ObjectNode) gpus.path("config")).putObject("compute").put("dtype", "bf16");
    gpus.putObject("vllm").put("refuses", "vLLM serves adapters up to rank 512");
    assertThat(page(WrittenRun.in(dir.resolve("gpus")).record(gpus)))
        .contains("--chat --gpu --set cluster.gpus_per_node=8 --set compute.dtype=bf16")
        .contains("vLLM serves adapters up to rank 512.")
        .doesNotContain("vllm serve");
  }

  @Test
  void aRunOfAnEarlierVersionHasAPageAsWell() throws IOException {
    ObjectNode record = record();
    record.remove(List.of("phases", "samples", "planned_steps", "vllm"));
    record.putObject("checkpoints").put("last_complete_step", 40);
    assertThat(page(WrittenRun.in(dir.resolve("old")).record(record).metrics(4)))
        .contains("The last complete one is that after step 40;", "does not tell");
  }

  @Test
  void readsAndWritesWhatHadoopReaches() throws IOException {
    Configuration hadoop = new Configuration();
    hadoop.setClass("fs.oss.impl", ObjectStore.class, FileSystem.class);
    String run = "oss://" + WrittenRun.in(dir.resolve("run")).metrics(6).path();
    assertThat(RunReport.write(List.of(run + "/"), null, hadoop, text -> text))
        .isEqualTo(run + "/report.html");
    String html = Files.readString(dir.resolve("run/report.html"));
    assertThat(steps(data(html).at("/runs/0/curves/loss"))).hasSize(6);
    assertThat(html).contains("vllm serve MODEL", "tuned=ADAPTER", "--adapter " + run + "/adapter");
  }

  @Test
  void refusesWhatIsNoRunAndReplacesNothingElse() throws IOException {
    Path empty = Files.createDirectory(dir.resolve("empty"));
    assertThatThrownBy(() -> write(List.of(empty.toString()), null))
        .isInstanceOf(BadRequestException.class)
        .hasMessage(empty + " holds no run.json: name the output folder of a run.");
    assertThatThrownBy(() -> write(List.of(), null)).isInstanceOf(BadRequestException.class);
    WrittenRun run = WrittenRun.in(dir.resolve("run")).metrics("{\"step\": 1}\n");
    assertThatThrownBy(() -> write(List.of(run.path().toString()), null))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("damaged line");
    Files.writeString(run.path().resolve("run.json"), "{\"sta");
    assertThatThrownBy(() -> write(List.of(run.path().toString()), null))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("run.json is damaged");
    Path mine = Files.writeString(dir.resolve("mine.html"), "<html>mine");
    String good = WrittenRun.in(dir.resolve("good")).metrics(2).path().toString();
    assertThatThrownBy(() -> write(List.of(good), mine.toString()))
        .isInstanceOf(BadRequestException.class)
        .hasMessage(mine + " is there and is no page of Anneal: name another file with --output.");
    assertThat(mine).hasContent("<html>mine");
  }

  @Test
  void theCommandMakesThePageWithoutASession() throws IOException {
    String run = WrittenRun.in(dir.resolve("run")).metrics(6).path().toString();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    assertThat(execute(out, err, "report", run, "--output", dir.resolve("r.html").toString()))
        .as(err.toString(StandardCharsets.UTF_8))
        .isZero();
    assertThat(out.toString(StandardCharsets.UTF_8)).contains(dir.resolve("r.html").toString());
    assertThat(dir.resolve("r.html")).isNotEmptyFile();
    assertThat(execute(out, err, "report", dir.resolve("none").toString())).isEqualTo(2);
    assertThat(execute(out, err, "report")).isEqualTo(2);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("holds no run.json", "RUN");
  }

  private static int execute(ByteArrayOutputStream out, ByteArrayOutputStream err, String... args) {
    return Anneal.execute(
        args,
        new PrintStream(out, true, StandardCharsets.UTF_8),
        new PrintStream(err, true, StandardCharsets.UTF_8));
  }

  private static ObjectNode record() throws IOException {
    return (ObjectNode) WrittenRun.JSON.readTree(WrittenRun.RECORD);
  }

  private static RunView view(ObjectNode record) {
    return new RunView("file:/runs/a", record, new MetricsLog(), null, Instant.now());
  }

  private static String write(List<String> runs, String output) {
    return RunReport.write(runs, output, new Configuration(), text -> text);
  }

  private static String page(WrittenRun run) throws IOException {
    String page = write(List.of(run.path().toString()), null);
    assertThat(page).isEqualTo(run.path().resolve("report.html").toString());
    return Files.readString(Path.of(page));
  }

  private String pages(WrittenRun one, WrittenRun two) throws IOException {
    Path page = dir.resolve("pages.html");
    write(List.of(one.path().toString(), two.path().toString()), page.toString());
    return Files.readString(page);
  }

  private static JsonNode data(String html) throws IOException {
    String begin = "<script type=\"application/json\" id=\"data\">";
    int from = html.indexOf(begin) + begin.length();
    return WrittenRun.JSON.readTree(html.substring(from, html.indexOf("</script>", from)));
  }

  private static List<Long> steps(JsonNode curve) {
    List<Long> steps = new ArrayList<>();
    ((ArrayNode) curve.path("x")).forEach(step -> steps.add(step.longValue()));
    return steps;
  }
}
