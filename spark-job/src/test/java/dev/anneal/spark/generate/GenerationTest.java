package dev.anneal.spark.generate;

import static dev.anneal.spark.generate.Commands.generate;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.Anneal;
import dev.anneal.spark.LocalSpark;
import dev.anneal.spark.RunResult;
import dev.anneal.spark.generate.Commands.Executed;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command on the bundled model, in a session that is there. */
class GenerationTest {
  private static final Path CONF = Path.of(System.getProperty("anneal.home"), "conf");
  private static final ObjectMapper JSON = new ObjectMapper();
  private static SparkSession spark;

  @TempDir Path dir;

  @BeforeAll
  static void start() {
    spark = LocalSpark.session(2);
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  @Test
  void givesALineForEveryPrompt() throws IOException {
    List<JsonNode> lines =
        generate("--prompt", "What is four plus one?", "--prompt", "Say hello.").lines();
    assertThat(lines)
        .extracting(line -> line.get("prompt").textValue())
        .containsExactly("What is four plus one?", "Say hello.");
    for (JsonNode line : lines) {
      assertThat(line.get("text").textValue()).isNotBlank();
      assertThat(line.get("finish_reason").textValue()).isIn("stop_token", "max_tokens");
      assertThat(line.get("prompt_tokens").intValue()).isGreaterThan(5);
      assertThat(line.get("tokens").intValue()).isBetween(1, 24);
    }
    assertThat(generate("--prompt", "Say hello.").lines().get(0)).isEqualTo(lines.get(1));
  }

  @Test
  void twoRanksThatShareTheWeightsGiveWhatOneGives() throws IOException {
    Path prompts = prompts("{\"prompt\": \"What is four plus one?\"}", "{\"prompt\": \"Sing.\"}");
    List<JsonNode> expected = generate("--prompts", prompts.toString()).lines();
    for (String dtype : List.of("fp32", "bf16")) {
      List<JsonNode> found =
          generate(
                  "--prompts",
                  prompts.toString(),
                  "--set",
                  "cluster.nodes=2",
                  "--set",
                  "base_weights.shard=world",
                  "--set",
                  "base_weights.dtype=" + dtype)
              .lines();
      assertThat(found).as(dtype).isEqualTo(expected);
    }
  }

  @Test
  void ranksWithWholeWeightsShareThePrompts() throws IOException {
    Path prompts =
        prompts("{\"prompt\": \"Sing.\"}", "{\"prompt\": \"Say hello.\"}", "{\"prompt\": \"Go.\"}");
    String[] asked = {
      "--prompts", prompts.toString(), "--temperature", "1", "--seed", "3", "--stop", "never said"
    };
    List<JsonNode> alone = generate(asked).lines();
    assertThat(generate(with(asked, "--set", "cluster.nodes=2")).lines()).isEqualTo(alone);
    // fewer prompts than ranks
    assertThat(generate("--prompt", "Sing.", "--set", "cluster.nodes=2").lines())
        .isEqualTo(generate("--prompt", "Sing.").lines());
  }

  @Test
  void whatEndsARankIsSaid() throws IOException {
    Path model = Files.createDirectory(dir.resolve("model"));
    for (String file : List.of("config.json", "tokenizer.json", "tokenizer_config.json")) {
      Files.copy(Path.of(Commands.MODEL, file), model.resolve(file));
    }
    // every weight NaN behind the header
    byte[] weights = Files.readAllBytes(Path.of(Commands.MODEL, "model.safetensors"));
    int header = ByteBuffer.wrap(weights).order(ByteOrder.LITTLE_ENDIAN).getInt();
    Arrays.fill(weights, Long.BYTES + header, weights.length, (byte) 0xff);
    Files.write(model.resolve("model.safetensors"), weights);
    for (String nodes : List.of("1", "2")) {
      Executed executed =
          generate("--model", model.toString(), "--prompt", "a", "--set", "cluster.nodes=" + nodes);
      assertThat(executed.code()).isEqualTo(1);
      assertThat(executed.err()).contains("Generation failed: After token", "logits are NaN");
    }
  }

  @Test
  void answersAsASampleOfTheRunDidThatMadeTheAdapter() throws IOException {
    RunResult run =
        Anneal.on(spark)
            .run(
                CONF.resolve("tiny.yaml").toString(),
                Map.of(
                    "output.path",
                    dir.resolve("out").toString(),
                    "training.max_steps",
                    25,
                    "cluster.nodes",
                    1,
                    "evaluation.sample_rows",
                    2,
                    "evaluation.sample_tokens",
                    24));
    List<String> asked = new ArrayList<>();
    List<String> before = new ArrayList<>();
    List<String> after = new ArrayList<>();
    for (Row answer : run.answers().collectAsList()) {
      String prompt = answer.getString(0);
      asked.add(JSON.createObjectNode().put("prompt", said(prompt)).toString());
      before.add(answer.getString(1));
      after.add(answer.getString(2));
    }
    String prompts = prompts(asked.toArray(String[]::new)).toString();
    assertThat(texts(generate("--prompts", prompts, "--adapter", run.adapter()).lines()))
        .isEqualTo(after);
    assertThat(texts(generate("--prompts", prompts).lines())).isEqualTo(before);
    assertThat(after).isNotEqualTo(before);
  }

  /** What the user says in a prompt without its marks. */
  private static String said(String prompt) {
    return prompt.replaceFirst("^user\\s+", "").replaceFirst("\\s*assistant$", "");
  }

  @Test
  void drawsByTheSeedAndStopsAtTexts() throws IOException {
    String[] sampled = {"--prompt", "Sing a song.", "--temperature", "0.9", "--top-p", "0.95"};
    List<JsonNode> first = generate(with(sampled, "--seed", "1")).lines();
    assertThat(generate(with(sampled, "--seed", "1", "--top-k", "1024")).lines()).isEqualTo(first);
    assertThat(generate(with(sampled, "--seed", "2")).lines()).isNotEqualTo(first);

    String whole = generate("--prompt", "Sing a song.").lines().get(0).get("text").textValue();
    String stop = whole.substring(whole.length() / 2, whole.length() / 2 + 3);
    JsonNode stopped =
        generate("--prompt", "Sing a song.", "--stop", "never said", "--stop", stop).lines().get(0);
    assertThat(stopped.get("text").textValue()).isEqualTo(whole.substring(0, whole.indexOf(stop)));
    assertThat(stopped.get("finish_reason").textValue()).isEqualTo("stop_string");
  }

  @Test
  void takesConversationsAndWritesAFile() throws IOException {
    Path prompts =
        prompts(
            "{\"id\": 7, \"messages\": [{\"role\": \"user\", \"content\": \"Hi\"},"
                + " {\"role\": \"assistant\", \"content\": \"Aye!\"},"
                + " {\"role\": \"user\", \"content\": \"Sing.\"}]}",
            "",
            "{\"prompt\": \"Sing.\"}");
    Path output = dir.resolve("answers.jsonl");
    Executed executed = generate("--prompts", prompts.toString(), "--output", output.toString());
    assertThat(executed.code()).as(executed.err()).isZero();
    assertThat(executed.out()).isEmpty();
    List<JsonNode> lines = Commands.parse(Files.readString(output));
    assertThat(lines).hasSize(2);
    assertThat(lines.get(0).get("id").intValue()).isEqualTo(7);
    assertThat(lines.get(0).get("messages")).hasSize(3);
    assertThat(lines.get(0).get("prompt_tokens").intValue())
        .isGreaterThan(lines.get(1).get("prompt_tokens").intValue());

    Executed again = generate("--prompts", prompts.toString(), "--output", output.toString());
    assertThat(again.code()).isEqualTo(2);
    assertThat(again.err()).contains(output.toString(), "is there already");
  }

  @Test
  void readsWhatDataSourceReadsInItsOrder() throws IOException {
    List<JsonNode> expected =
        generate("--prompt", "Sing.", "--prompt", "Say hello.", "--prompt", "Go.").lines();
    Dataset<Row> rows =
        spark.sql(
            "select * from values (1, 'Sing.'), (2, 'Say hello.'), (3, 'Go.') as t(id, question)");
    String parquet = dir.resolve("rows").toString();
    rows.repartition(1).write().parquet(parquet);
    rows.createOrReplaceTempView("asked");
    Path csv =
        Files.writeString(dir.resolve("rows.csv"), "id,question\n1,Sing.\n2,Say hello.\n3,Go.\n");
    for (String source : List.of(parquet, "table:asked", csv.toString())) {
      List<JsonNode> found =
          generate("--prompts", source, "--prompts-column", "question", "--batch-size", "2")
              .lines();
      assertThat(found)
          .as(source)
          .extracting(line -> line.path("id").asInt())
          .containsExactly(1, 2, 3);
      assertThat(texts(found)).as(source).isEqualTo(texts(expected));
    }
    Path text = Files.writeString(dir.resolve("lines.txt"), "Sing.\n\nSay hello.\nGo.\n");
    assertThat(generate("--prompts", text.toString()).lines()).isEqualTo(expected);
  }

  @Test
  void repeatsWhatWasGivenLetterForLetter() throws IOException {
    Path prompts =
        prompts("{\"prompt\": \"Sing.\", \"weight\": 1.00, \"big\": 12345678901234567890123}");
    assertThat(generate("--prompts", prompts.toString()).out())
        .startsWith(
            "{\"prompt\": \"Sing.\", \"weight\": 1.00, \"big\": 12345678901234567890123,\"text\":");
  }

  @Test
  void refusesInOneSentence() throws IOException {
    String file = prompts("{\"prompt\": \"a\"}", "{\"question\": \"b\"}").toString();
    assertThat(refusal("--prompts", file)).contains("row 2 of", file, "neither a text 'prompt'");
    Files.writeString(Path.of(file), "{\"prompt\": ");
    assertThat(refusal("--prompts", file)).contains("row 1 of", "not valid JSON");
    Files.writeString(Path.of(file), "\n");
    assertThat(refusal("--prompts", file)).contains(file, "holds no prompt");
    assertThat(refusal("--prompts", dir.resolve("none").toString())).contains("none");
    assertThat(refusal("--prompt", "word ".repeat(600)))
        .contains("--prompt 1", "the model's context has 512");
    assertThat(refusal("--prompt", "a", "--adapter", dir.toString()))
        .contains("There is no adapter in " + dir, "adapter_config.json");
    assertThat(refusal("--prompt", "a", "--top-p", "0.9")).contains("--temperature 1");
    assertThat(refusal("--prompt", "a", "--temperature", "-1")).contains("temperature is -1.0");
    assertThat(refusal("--prompt", "a", "--stop", "")).contains("--stop is empty");
    assertThat(refusal("--prompt", "a", "--prompts", file)).contains("--prompt");
    assertThat(refusal()).contains("--prompt");
    Files.writeString(Path.of(file), "{\"prompt\": \"a\", \"text\": \"b\"}");
    assertThat(refusal("--prompts", file)).contains("row 1 of", "has a 'text' already");
    Files.writeString(Path.of(file), "{\"prompt\": \"a\", \"Tokens\": 1}");
    assertThat(refusal("--prompts", file)).contains("row 1 of", "has a 'Tokens' already");
    Files.writeString(Path.of(file), "{\"prompt\": \"a\"}\n{\"prompt\": \"a\", \"tools\": []}");
    assertThat(refusal("--prompts", file))
        .contains("row 2 of", "has 'tools', which generate does not give to the template");
    Files.writeString(
        Path.of(file), "{\"prompt\": \"a\", \"Id\": 1}\n{\"prompt\": \"a\", \"id\": 2}");
    String parquet = dir.resolve("answers.parquet").toString();
    assertThat(refusal("--prompts", file, "--output", parquet))
        .contains("row 2 of", "has 'id' where there is 'Id' too");
    assertThat(refusal("--prompts", file, "--prompts-column", "id")).contains("row 1 of");
    assertThat(refusal("--prompts", "table:nowhere")).contains("--prompts 'table:nowhere'");
    assertThat(refusal("--prompt", "a", "--prompts-column", "id")).contains("--prompts-column");
    assertThat(refusal("--chat", "--output", "x")).contains("--output is not for --chat");
  }

  private Path prompts(String... lines) throws IOException {
    return Files.writeString(dir.resolve("prompts.jsonl"), String.join("\n", lines) + "\n");
  }

  private static String refusal(String... args) {
    Executed executed = generate(args);
    assertThat(executed.code()).as(executed.err()).isEqualTo(2);
    assertThat(executed.out()).isEmpty();
    assertThat(executed.err().lines()).hasSize(1);
    return executed.err();
  }

  private static String[] with(String[] args, String... more) {
    String[] all = Arrays.copyOf(args, args.length + more.length);
    System.arraycopy(more, 0, all, args.length, more.length);
    return all;
  }

  private static List<String> texts(List<JsonNode> lines) {
    return lines.stream().map(line -> line.get("text").textValue().strip()).toList();
  }
}
