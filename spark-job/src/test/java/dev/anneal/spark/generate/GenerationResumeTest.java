package dev.anneal.spark.generate;

import static dev.anneal.spark.generate.Commands.generate;
import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.LocalSpark;
import dev.anneal.spark.generate.Commands.Executed;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Answers in files, of requests that are cut off. */
class GenerationResumeTest {
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
  void goesOnBehindWhatIsAnswered() throws IOException {
    String expected = undisturbed(10);
    Path output = dir.resolve("answers.jsonl");
    // somebody takes the name when the work has begun
    Executed cut = generate(once("Starting Spark", () -> create(output)), asked(4, output));
    assertThat(cut.code()).isEqualTo(1);
    assertThat(cut.err()).contains(output + " has come to be meanwhile");
    assertThat(work(output)).exists();
    Files.delete(output);

    Executed other = generate(with(asked(10, output), "--repetition-penalty", "1.5"));
    assertThat(other.code()).isEqualTo(2);
    assertThat(other.err())
        .contains(work(output).toString(), "repetition_penalty was 1.0 and not 1.5");
    assertThat(other.err().lines()).hasSize(1);

    Executed again = generate(asked(10, output));
    assertThat(again.code()).as(again.err()).isZero();
    assertThat(again.err())
        .contains("Going on: 4 of 10 prompts are answered", "Answered 6 prompts");
    assertThat(output).hasContent(expected);
    assertThat(work(output)).doesNotExist();
  }

  @Test
  void nothingOfTheUsersIsReplaced() throws IOException {
    Path output = dir.resolve("answers.jsonl");
    Path beside = dir.resolve("answers.jsonl.probe");
    create(beside);
    assertThat(generate(asked(2, output)).code()).isZero();
    assertThat(beside).hasContent("somebody else's");
    assertThat(dir.toFile().list())
        .containsExactlyInAnyOrder("answers.jsonl", "answers.jsonl.probe", "prompts.jsonl");
  }

  @Test
  void whatFailsInTheMiddleKeepsWhatIsAnswered() throws IOException {
    String expected = undisturbed(40);
    Path output = dir.resolve("answers.jsonl");
    Executed cut =
        generate(
            once("Generating", () -> spark.sparkContext().cancelAllJobs()),
            with(asked(40, output), "--batch-size", "1"));
    assertThat(cut.code()).isEqualTo(1);
    assertThat(cut.err()).contains("Generation failed: ");
    assertThat(output).doesNotExist();
    Executed again = generate(with(asked(40, output), "--batch-size", "1"));
    assertThat(again.code()).as(again.err()).isZero();
    assertThat(output).hasContent(expected);
  }

  @Test
  void otherPromptsAreNotTakenForThose() throws IOException {
    Path output = dir.resolve("answers.jsonl");
    String[] asked = asked(4, output);
    generate(once("Starting Spark", () -> create(output)), asked);
    Files.delete(output);
    Path file = Path.of(asked[1]);
    Files.writeString(file, Files.readString(file).replace("number 2", "number 7"));
    Executed refused = generate(asked);
    assertThat(refused.code()).isEqualTo(2);
    assertThat(refused.err()).contains(work(output).toString(), "answers to other prompts");
    assertThat(refused.err().lines()).hasSize(1);
  }

  @Test
  void answersOfAnotherRequestAreNotTakenForThose() throws IOException {
    Path output = dir.resolve("answers.jsonl");
    generate(once("Starting Spark", () -> create(output)), asked(4, output));
    Files.delete(output);
    Path lost = work(output).resolve("request.json");
    Files.delete(lost);
    Executed refused = generate(asked(4, output));
    assertThat(refused.code()).isEqualTo(2);
    assertThat(refused.err())
        .contains(work(output).toString(), "holds answers without a request.json");
    assertThat(refused.err().lines()).hasSize(1);

    // as one has that began when the folder was removed, before the other wrote its last part
    Path other = dir.resolve("other.jsonl");
    String[] seeded = with(asked(4, other), "--seed", "7");
    generate(once("Starting Spark", () -> create(other)), seeded);
    Files.copy(work(other).resolve("request.json"), lost);
    Executed mixed = generate(with(asked(4, output), "--seed", "7"));
    assertThat(mixed.code()).isEqualTo(2);
    assertThat(mixed.err()).contains(work(output).toString(), "answers to other prompts");
  }

  @Test
  void parquetHasTheOrderOfThePrompts() throws IOException {
    List<String> expected =
        Commands.parse(undisturbed(10)).stream().map(line -> line.get("text").textValue()).toList();
    Path output = dir.resolve("answers.parquet");
    Executed executed = generate(asked(10, output));
    assertThat(executed.code()).as(executed.err()).isZero();
    assertThat(work(output)).doesNotExist();
    List<Row> rows = spark.read().parquet(output.toString()).collectAsList();
    assertThat(rows.get(0).schema().fieldNames())
        .containsExactly("id", "prompt", "text", "finish_reason", "prompt_tokens", "tokens");
    assertThat(rows).extracting(row -> row.getString(2)).isEqualTo(expected);
    assertThat(generate(asked(10, output)).code()).as("it is there").isEqualTo(2);
  }

  /** The file that a request gives which nothing cuts off. */
  private String undisturbed(int count) throws IOException {
    Path output = dir.resolve("undisturbed.jsonl");
    Executed executed = generate(asked(count, output));
    assertThat(executed.code()).as(executed.err()).isZero();
    assertThat(Commands.parse(Files.readString(output)))
        .hasSize(count)
        .extracting(line -> line.get("text").textValue())
        .doesNotHaveDuplicates();
    assertThat(work(output)).doesNotExist();
    return Files.readString(output);
  }

  private String[] asked(int count, Path output) throws IOException {
    Stream<String> lines =
        IntStream.range(0, count)
            .mapToObj(i -> "{\"id\": %s, \"prompt\": \"Sing number %s.\"}".formatted(i, i));
    Path file = dir.resolve("prompts.jsonl");
    Files.write(file, lines.toList());
    // drawn, so that each prompt has an answer of its own
    return new String[] {
      "--prompts", file.toString(), "--output", output.toString(), "--temperature", "1"
    };
  }

  private static String[] with(String[] args, String... more) {
    return Stream.concat(Stream.of(args), Stream.of(more)).toArray(String[]::new);
  }

  private static Path work(Path output) {
    return output.resolveSibling(".anneal-generate." + output.getFileName());
  }

  private static Consumer<String> once(String words, Runnable work) {
    AtomicBoolean done = new AtomicBoolean();
    return said -> {
      if (said.contains(words) && done.compareAndSet(false, true)) {
        work.run();
      }
    };
  }

  private static void create(Path file) {
    try {
      Files.writeString(file, "somebody else's");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
