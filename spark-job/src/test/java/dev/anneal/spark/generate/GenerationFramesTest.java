package dev.anneal.spark.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.spark.Anneal;
import dev.anneal.spark.AnnealSession;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.LocalSpark;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code generate} from a program. */
class GenerationFramesTest {
  private static final List<String> PROMPTS = List.of("Sing.", "Say hello.", "Go.");
  private static SparkSession spark;

  @TempDir Path dir;
  private final AnnealSession anneal =
      Anneal.on(spark).printTo(new PrintWriter(Writer.nullWriter()));

  @BeforeAll
  static void start() {
    spark = LocalSpark.session(2);
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  @Test
  void textsBecomeRowsWithAnswers() throws IOException {
    Dataset<Row> answers = anneal.generate(Commands.MODEL, PROMPTS, Map.of("max_tokens", 24));
    assertThat(answers.schema().toDDL())
        .isEqualTo("prompt STRING,text STRING,finish_reason STRING,prompt_tokens INT,tokens INT");
    List<Row> rows = answers.collectAsList();
    List<JsonNode> lines =
        Commands.parse(
            Commands.generate("--prompt", "Sing.", "--prompt", "Say hello.", "--prompt", "Go.")
                .out());
    for (int i = 0; i < lines.size(); i++) {
      assertThat(rows.get(i).getString(0)).isEqualTo(PROMPTS.get(i));
      assertThat(rows.get(i).getString(1)).isEqualTo(lines.get(i).get("text").textValue());
      assertThat(rows.get(i).getInt(4)).isEqualTo(lines.get(i).get("tokens").intValue());
    }
  }

  @Test
  void columnsOfRowsKeepTheirTypes() {
    Dataset<Row> asked =
        spark.sql(
            "select id, timestamp_micros(id * 1000001) as at, cast(id as decimal(9, 3)) as price,"
                + " named_struct('a', id) as nested, concat('Sing number ', id, '.') as `the question`"
                + " from range(0, 7, 1, 3)");
    Map<String, Object> options = new HashMap<>();
    options.put("prompts_column", "the question");
    options.put("max_tokens", 8);
    options.put("batch_size", 2);
    // so that each prompt has an answer of its own
    options.put("temperature", 1);
    Dataset<Row> alone = anneal.generate(Commands.MODEL, asked, options);
    options.put("cluster.nodes", 2);
    Dataset<Row> answers = anneal.generate(Commands.MODEL, asked, options);
    assertThat(answers.collectAsList()).isEqualTo(alone.collectAsList());
    assertThat(answers.drop("text", "finish_reason", "prompt_tokens", "tokens").schema())
        .isEqualTo(asked.schema());
    assertThat(answers.drop("text", "finish_reason", "prompt_tokens", "tokens").collectAsList())
        .isEqualTo(asked.collectAsList());
    assertThat(answers.where("text is null or tokens > 8").count()).isZero();
    assertThat(answers.select("text").distinct().count()).isEqualTo(7);
  }

  @Test
  void conversationsAndNoRowsAtAll() {
    Dataset<Row> asked =
        spark.sql(
            "select array(named_struct('role', 'user', 'content', 'Sing.')) as messages from range(2)");
    Map<String, Object> options = Map.of("max_tokens", 24);
    String expected =
        anneal.generate(Commands.MODEL, List.of("Sing."), options).first().getString(1);
    assertThat(anneal.generate(Commands.MODEL, asked, options).collectAsList())
        .hasSize(2)
        .allMatch(row -> row.getString(1).equals(expected));
    assertThat(anneal.generate(Commands.MODEL, asked.limit(0), options).count()).isZero();
  }

  @Test
  void sourcesAreReadAndOutputsComeBackAsRows() {
    spark
        .sql("select id, concat('Sing number ', id, '.') as prompt from range(5)")
        .createOrReplaceTempView("songs");
    Map<String, Object> options = Map.of("max_tokens", 8, "temperature", 1);
    List<Row> rows = anneal.generate(Commands.MODEL, "table:songs", options).collectAsList();
    assertThat(rows).extracting(row -> row.getLong(0)).containsExactly(0L, 1L, 2L, 3L, 4L);
    for (String name : List.of("answers.parquet", "answers.jsonl")) {
      String output = dir.resolve(name).toString();
      assertThat(
              anneal
                  .generate(
                      Commands.MODEL,
                      "table:songs",
                      Map.of("max_tokens", 8, "temperature", 1, "output", output))
                  .collectAsList())
          .as(name)
          .isEqualTo(rows);
      assertThat(Path.of(output)).exists();
    }
  }

  @Test
  void refusesInOneSentence() {
    Dataset<Row> rows = spark.sql("select 'a' as question, 'b' as Text");
    refused(List.of("a"), Map.of("temprature", 1), "no option 'temprature': choose among adapter");
    refused(List.of("a"), Map.of("max_tokens", "many"), "max_tokens is 'many'");
    refused(List.of("a"), Map.of("max_tokens", 0), "max_tokens is 0, but must be 1 or more");
    refused(List.of("a"), Map.of("top_p", 0.5), "add temperature 1");
    refused(List.of("a"), Map.of("cluster.node", 1), "cluster.nodes");
    refused(List.of("a", " word".repeat(600)), Map.of(), "row 2 of the DataFrame has");
    assertThatThrownBy(() -> anneal.generate(Commands.MODEL, rows, Map.of()))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("has a column 'Text' already");
    assertThatThrownBy(() -> anneal.generate(Commands.MODEL, rows.drop("Text"), Map.of()))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("neither a column 'prompt' nor 'messages'");
    assertThatThrownBy(
            () ->
                anneal.generate(
                    Commands.MODEL, rows.drop("Text"), Map.of("prompts_column", "asked")))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining(
            "no column 'asked', which prompts_column names: choose among question");
    assertThatThrownBy(
            () ->
                anneal.generate(
                    Commands.MODEL, spark.sql("select 'a' as prompt, 'b' as system"), Map.of()))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("row 1 of the DataFrame has 'system', which generate does not give");
    refused(List.of("a"), Map.of("output", "x.jsonl"), "output is for prompts of a source");
  }

  private void refused(List<String> prompts, Map<String, ?> options, String sentence) {
    assertThatThrownBy(() -> anneal.generate(Commands.MODEL, prompts, options))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining(sentence);
  }
}
