package dev.anneal.spark.evaluate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.data.Percentage.withPercentage;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.Anneal;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.LocalSpark;
import dev.anneal.spark.RunResult;
import dev.anneal.spark.report.HtmlPage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command and the call, in a session that is there. */
class EvaluationTest {
  private static final Path CONF = Path.of(System.getProperty("anneal.home"), "conf");
  private static final String MODEL = CONF.resolve("tiny/model").toString();
  private static final String ROWS = CONF.resolve("tiny/instructions.json").toString();
  private static final Path GOLDEN =
      Path.of(System.getProperty("anneal.shared"), "golden", "tiny-llama31").normalize();
  private static final ObjectMapper JSON = new ObjectMapper();
  private static SparkSession spark;

  @TempDir Path dir;

  /** How a command has ended. */
  private record Executed(int code, String out, String err) {}

  @BeforeAll
  static void start() {
    spark = LocalSpark.session(2);
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  @Test
  void meetsTheLossOfTheReferenceAndIsTheSameToTheLastBitAtAnyWorldSize() throws IOException {
    assumeTrue(Files.isDirectory(GOLDEN), () -> "no reference data at " + GOLDEN);
    JsonNode reference = JSON.readTree(GOLDEN.resolve("reference.json").toFile());
    int rows =
        reference.at("/recipe/gradient_accumulation").intValue()
            * reference.at("/recipe/micro_batch").intValue();
    String[] args = {
      "--model", GOLDEN + "/model",
      "--adapter", GOLDEN + "/adapter_final",
      "--data", GOLDEN + "/rows.jsonl",
      "--set", "data.format=tokenized",
      "--set", "data.limit=" + rows,
      "--batch-size", "2"
    };
    String one = evaluated("one", args);
    JsonNode json = JSON.readTree(one);
    // the first adapter's B is zero, so that the first step's loss is that of the base
    assertThat(json.at("/base/loss").doubleValue())
        .isCloseTo(firstLoss(reference), withPercentage(2e-5));
    assertThat(json.at("/base/perplexity").doubleValue())
        .isEqualTo(Math.exp(json.at("/base/loss").doubleValue()));
    assertThat(json.at("/adapted/loss").doubleValue())
        .isLessThan(json.at("/base/loss").doubleValue());
    assertThat(json.at("/rows").intValue()).isEqualTo(rows);
    assertThat(json.at("/model/fingerprint").textValue()).hasSize(64);
    assertThat(json.at("/adapter/fingerprint").textValue()).hasSize(64);
    assertThat(json.at("/data/sha256").textValue()).hasSize(64);

    assertThat(evaluated("two", with(args, "--set", "cluster.nodes=2"))).isEqualTo(one);
    assertThat(
            evaluated(
                "split",
                with(args, "--set", "cluster.nodes=2", "--set", "base_weights.shard=world")))
        .isEqualTo(one);
  }

  private static double firstLoss(JsonNode reference) {
    for (JsonNode node : reference) {
      if (node.isArray() && node.path(0).has("loss")) {
        return node.get(0).get("loss").doubleValue();
      }
    }
    throw new AssertionError("no losses in " + reference);
  }

  @Test
  void givesTheHeldOutLossesOfTheRunThatMadeDataSetAndAdapter() throws IOException {
    RunResult run =
        Anneal.on(spark)
            .printTo(new PrintWriter(new StringWriter()))
            .run(
                CONF.resolve("tiny.yaml").toString(),
                Map.of(
                    "output.path", dir.resolve("run").toString(),
                    "training.max_steps", 10,
                    "evaluation.sample_rows", 0,
                    "cluster.nodes", 1));
    List<Double> losses =
        run.metrics().where("eval_loss is not null").orderBy("step").collectAsList().stream()
            .map(row -> row.<Double>getAs("eval_loss"))
            .toList();
    JsonNode json =
        JSON.readTree(
            evaluated(
                "held-out",
                "--adapter",
                run.adapter(),
                "--dataset",
                dir.resolve("run").toString(),
                "--batch-size",
                "4"));
    assertThat(json.at("/data/split").textValue()).isEqualTo("eval");
    assertThat(json.at("/rows").intValue()).isEqualTo(40);
    assertThat(json.at("/base/loss").doubleValue()).isCloseTo(losses.get(0), within(1e-6));
    assertThat(json.at("/adapted/loss").doubleValue()).isCloseTo(losses.get(1), within(1e-6));
    assertThat(losses.get(1)).isLessThan(losses.get(0));

    Executed trained =
        evaluate(
            "--dataset",
            dir.resolve("run/dataset").toString(),
            "--split",
            "train",
            "--model",
            MODEL);
    assertThat(trained.code()).as(trained.err()).isZero();
    assertThat(trained.out()).containsPattern("all rows +280 ").doesNotContain("adapted");
  }

  @Test
  void tellsSourcesApartAndShowsAnswersEscaped() throws IOException {
    Path data = Files.createDirectories(dir.resolve("data"));
    Files.writeString(
        data.resolve("songs.jsonl"),
        row("Sing <script>alert(1)</script> & \\\"hum\\\".", "La <b>la</b>", "")
            + row("Sing again.", "Oh", "")
            + row("Say it.", "It", ",\"source\":\"<i>web</i>\""));
    Files.writeString(data.resolve("sums.jsonl"), row("What is four plus one?", "Five", ""));
    String json =
        evaluated("one", "--data", data.toString(), "--generate", "3", "--max-tokens", "6");
    JsonNode found = JSON.readTree(json);
    assertThat(found.get("sources"))
        .extracting(source -> source.get("source").textValue() + source.get("rows"))
        .containsExactly("<i>web</i>1", "songs2", "sums1");
    double sum = 0;
    for (JsonNode source : found.get("sources")) {
      sum += source.at("/base/loss").doubleValue() * source.get("target_tokens").intValue();
    }
    assertThat(sum / found.get("target_tokens").intValue())
        .isCloseTo(found.at("/base/loss").doubleValue(), within(1e-12));
    assertThat(found.get("adapted").isNull()).isTrue();
    assertThat(found.get("answers")).hasSize(3);
    assertThat(found.at("/answers/0/reference").textValue()).isEqualTo("La <b>la</b>");
    assertThat(found.at("/answers/0/base").textValue()).isNotBlank();

    String page = Files.readString(dir.resolve("one/evaluation.html"));
    assertThat(page)
        .contains("Sing &lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;hum&quot;.")
        .contains("La &lt;b&gt;la&lt;/b&gt;", "&lt;i&gt;web&lt;/i&gt;", "default-src 'none'")
        .contains("prefers-color-scheme: dark")
        .doesNotContain("<script", "<b>", "<i>", "http://", "https://", "src=", "href=");
    assertThat(names(dir.resolve("one")))
        .containsExactlyInAnyOrder("evaluation.json", "evaluation.html");

    String[] again = {
      "--data", data.toString(), "--generate", "3", "--max-tokens", "6", "--set", "cluster.nodes=2"
    };
    assertThat(evaluated("two", again)).isEqualTo(json);
  }

  private static String row(String instruction, String output, String more) {
    return "{\"instruction\":\"%s\",\"output\":\"%s\"%s}\n".formatted(instruction, output, more);
  }

  @Test
  void everyCharacterOfForeignTextIsOneOfText() {
    assertThat(
            HtmlPage.escaped("<a href='x' on=\"y\">&amp;\u0000\u001b[31m\r\n\t\ud83d\ude00\ud83d"))
        .isEqualTo(
            "&lt;a href=&#39;x&#39; on=&quot;y&quot;&gt;&amp;amp;\ufffd\ufffd[31m&#13;\n\t\ud83d\ude00\ufffd");
  }

  @Test
  void isACallToo() throws IOException {
    String output = dir.resolve("out").toString();
    Map<String, Object> options =
        Map.of(
            "model",
            MODEL,
            "data",
            ROWS,
            "output",
            output,
            "data.limit",
            12,
            "generate",
            1,
            "max_tokens",
            4);
    StringWriter said = new StringWriter();
    EvaluationResult result = Anneal.on(spark).printTo(new PrintWriter(said)).evaluate(options);
    assertThat(result.output()).isEqualTo(output);
    assertThat(result.all().rows()).isEqualTo(12);
    assertThat(result.all().base().perplexity()).isEqualTo(Math.exp(result.all().base().mean()));
    assertThat(result.all().adapted()).isNull();
    assertThat(result.sources()).isEmpty();
    assertThat(result.answers()).hasSize(1);
    assertThat(said.toString()).contains("all rows", "perplexity", "evaluation.html");
    JsonNode json = JSON.readTree(Files.readString(dir.resolve("out/evaluation.json")));
    assertThat(json.at("/base/loss").doubleValue()).isEqualTo(result.all().base().mean());

    assertThatThrownBy(() -> Anneal.on(spark).evaluate(options))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("already holds an evaluation");
    assertThat(Anneal.on(spark).printTo(new PrintWriter(said)).overwrite().evaluate(options).all())
        .isEqualTo(result.all());
    assertThatThrownBy(() -> Anneal.on(spark).evaluate(Map.of("model", MODEL, "rows", ROWS)))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("no option 'rows'");
    assertThatThrownBy(() -> Anneal.on(spark).evaluate(Map.of("model", MODEL)))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("either 'data' or 'dataset'");
    assertThat(spark.range(7).count()).as("the session is still of use").isEqualTo(7);
  }

  @Test
  void leavesAloneWhatIsNotItsOwn() throws IOException {
    Path out = dir.resolve("out");
    Path others = Files.createDirectories(out.resolve(EvaluationFiles.work("another")));
    Files.writeString(others.resolve("part-00000.arrow"), "rows");
    Path page = Files.writeString(out.resolve("evaluation.html"), "a page");
    String[] args = {"--data", ROWS, "--set", "data.limit=4", "--output", out.toString()};
    assertThat(refusal(args)).contains("already holds an evaluation");
    assertThat(page).hasContent("a page");

    Executed executed = evaluate(with(args, "--overwrite"));
    assertThat(executed.code()).as(executed.err()).isZero();
    assertThat(Files.readString(page)).contains("all rows");
    assertThat(names(out))
        .containsExactlyInAnyOrder(
            "evaluation.json", "evaluation.html", others.getFileName().toString());
    assertThat(names(others)).containsExactly("part-00000.arrow");
  }

  @Test
  void saysWhatWasLeftOutAndCut() throws IOException {
    Path data = dir.resolve("rows.jsonl");
    Files.writeString(
        data,
        row("Sing.", "La", "")
            + row("Go on.", "word ".repeat(700), "")
            + "{\"instruction\":\"no answer\"}\n");
    Executed executed =
        evaluate(
            "--data",
            data.toString(),
            "--set",
            "data.max_bad_rows=0.5",
            "--output",
            dir.resolve("out").toString());
    assertThat(executed.code()).as(executed.err()).isZero();
    assertThat(executed.out())
        .contains("1 rows left out: field 'output' is missing", "1 rows cut at 512 tokens");
    JsonNode json = JSON.readTree(Files.readString(dir.resolve("out/evaluation.json")));
    assertThat(json.at("/data/rows_cut").intValue()).isEqualTo(1);
    assertThat(json.at("/data/rows_left_out")).hasSize(1);
    assertThat(json.get("rows").intValue()).isEqualTo(2);
  }

  @Test
  void aModelThatIsBrokenIsAFailureThatIsSaid() throws IOException {
    Path model = Files.createDirectory(dir.resolve("model"));
    for (String file : List.of("config.json", "tokenizer.json", "tokenizer_config.json")) {
      Files.copy(Path.of(MODEL, file), model.resolve(file));
    }
    byte[] weights = Files.readAllBytes(Path.of(MODEL, "model.safetensors"));
    int header = ByteBuffer.wrap(weights).order(ByteOrder.LITTLE_ENDIAN).getInt();
    Arrays.fill(weights, Long.BYTES + header, weights.length, (byte) 0xff);
    Files.write(model.resolve("model.safetensors"), weights);
    Executed executed =
        evaluate(
            "--model", model.toString(), "--data", ROWS, "--output", dir.resolve("out").toString());
    assertThat(executed.code()).isEqualTo(1);
    assertThat(executed.err()).contains("The evaluation failed: The loss of sequence", "NaN");
    assertThat(names(dir.resolve("out"))).isEmpty();
  }

  @Test
  void refusesInOneSentence() throws IOException {
    String out = dir.resolve("out").toString();
    assertThat(refusal("--data", ROWS)).contains("no place for them", "output");
    assertThat(refusal("--data", dir + "/none.json", "--output", out)).contains("none.json");
    assertThat(refusal("--dataset", dir.toString())).contains("holds no complete data set");
    assertThat(refusal("--data", ROWS, "--dataset", out)).contains("--data");
    assertThat(refusal()).contains("--data");
    assertThat(refusal("--data", ROWS, "--output", out, "--split", "eval")).contains("split");
    assertThat(refusal("--dataset", out, "--split", "test")).contains("'test'", "train or eval");
    assertThat(refusal("--dataset", out, "--batch-size", "0")).contains("batch size is 0");
    assertThat(refusal("--dataset", out, "--generate", "2")).contains("answers", "output");
    assertThat(refusal("--data", ROWS, "--output", out, "--adapter", dir.toString()))
        .contains("There is no adapter in " + dir, "such as the adapter/ of a run");
    assertThat(
            refusal(
                "--data",
                ROWS,
                "--output",
                out,
                "--generate",
                "1",
                "--set",
                "data.train_on_prompt=true"))
        .contains("no prompt to answer", "train_on_prompt");
    assertThat(names(Path.of(out))).isEmpty();
  }

  @Test
  void refusesAnAdapterOfAnotherShapeAndRowsThatAreTooLong() throws IOException {
    assumeTrue(Files.isDirectory(GOLDEN), () -> "no reference data at " + GOLDEN);
    String out = dir.resolve("out").toString();
    assertThat(refusal("--data", ROWS, "--output", out, "--adapter", GOLDEN + "/adapter_final"))
        .contains("adapter_final");
    Path rows = dir.resolve("rows.jsonl");
    Files.writeString(
        rows,
        "{\"input_ids\":%s,\"prompt_length\":1}\n"
            .formatted(Arrays.toString(new int[600]))
            .repeat(3));
    Anneal.on(spark)
        .prep(
            Map.of(
                "data.source",
                rows.toString(),
                "data.format",
                "tokenized",
                "model.tokenizer",
                MODEL,
                "output.path",
                dir.resolve("long").toString()));
    assertThat(refusal("--dataset", dir + "/long"))
        .contains("part-00000.arrow row 0 of", "600 tokens", "context has 512");
    assertThat(refusal("--dataset", dir + "/long", "--split", "eval"))
        .contains("holds nothing out");
  }

  private static String refusal(String... args) {
    Executed executed = evaluate(args);
    assertThat(executed.code()).as(executed.out() + executed.err()).isEqualTo(2);
    assertThat(executed.err().lines()).hasSize(1);
    return executed.err();
  }

  /** The record of an evaluation that goes into {@code name}. */
  private String evaluated(String name, String... args) throws IOException {
    Path output = dir.resolve(name);
    Executed executed = evaluate(with(args, "--output", output.toString()));
    assertThat(executed.code()).as(executed.err()).isZero();
    assertThat(executed.err()).isEmpty();
    return Files.readString(output.resolve("evaluation.json"));
  }

  private static Executed evaluate(String... args) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    String[] model = Arrays.asList(args).contains("--model") ? args : with(args, "--model", MODEL);
    String[] all = with(new String[] {"evaluate"}, model);
    int code =
        Anneal.execute(all, new PrintStream(out, true, UTF_8), new PrintStream(err, true, UTF_8));
    return new Executed(code, out.toString(UTF_8), err.toString(UTF_8));
  }

  private static String[] with(String[] args, String... more) {
    String[] all = Arrays.copyOf(args, args.length + more.length);
    System.arraycopy(more, 0, all, args.length, more.length);
    return all;
  }

  private static List<String> names(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      return new ArrayList<>(files.map(file -> file.getFileName().toString()).toList());
    }
  }
}
