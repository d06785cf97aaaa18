package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.AnnealDataset;
import dev.anneal.spark.sparkui.SparkPage;
import dev.anneal.training.trainer.MemoryPlan;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AnnealSessionTest {
  private static final Path CONF = Path.of(System.getProperty("anneal.home"), "conf");
  @TempDir Path dir;

  @Test
  void preparesInASessionThatIsThereAndReplacesOnlyWhenAsked() throws IOException {
    Map<String, Object> config =
        Map.of(
            "data.source", CONF.resolve("tiny/instructions.json").toString(),
            "data.format", "alpaca",
            "data.eval_rows", 40,
            "model.tokenizer", CONF.resolve("tiny/model").toString(),
            "output.path", dir.resolve("out").toString());
    try (SparkSession spark = LocalSpark.session(1)) {
      spark.sparkContext().setLocalProperty("spark.job.description", "mine");
      AnnealSession anneal = Anneal.on(spark);
      assertThat(anneal.prep(config).train().rows()).isEqualTo(280);
      assertThat(AnnealDataset.read(spark, dir.resolve("out").toString()).count()).isEqualTo(320);
      assertThatThrownBy(() -> anneal.prep(config))
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("holds a prepared data set");
      assertThat(anneal.overwrite().prep(config).train().rows()).isEqualTo(280);
      assertThat(spark.sparkContext().getLocalProperty("spark.job.description"))
          .as("what the caller has set for the thread")
          .isEqualTo("mine");
    }
  }

  @Test
  void plansARunThatNobodyStarts() throws IOException {
    try (SparkSession spark = LocalSpark.session(1)) {
      StringWriter said = new StringWriter();
      MemoryPlan plan =
          Anneal.on(spark)
              .printTo(new PrintWriter(said))
              .plan(
                  null,
                  Map.of(
                      "model.path", "random:llama3.1-70b",
                      "cluster.gpus_per_node", 1,
                      "gpu_memory", "80GB"));
      assertThat(plan.fits()).isFalse();
      assertThat(plan.remedy()).isPresent();
      assertThat(said.toString()).contains("of 80.0 GB");
    }
  }

  @Test
  void tunesTwiceInOneSessionAndGivesMetricsAsRows() throws Exception {
    try (SparkSession spark = LocalSpark.withPages(1).getOrCreate()) {
      for (String output : List.of("first", "second")) {
        RunResult result =
            Anneal.on(spark)
                .run(
                    CONF.resolve("tiny.yaml").toString(),
                    Map.of(
                        "output.path",
                        dir.resolve(output).toString(),
                        "training.max_steps",
                        3,
                        "cluster.nodes",
                        1,
                        "lora.target_modules",
                        List.of("q_proj", "v_proj")));
        assertThat(Path.of(result.adapter(), "adapter_model.safetensors")).exists();
        assertThat(result.metrics().where("loss is not null").count()).isEqualTo(3);
        assertThat(result.metrics().where("eval_loss is not null").count()).isEqualTo(2);
        assertThat(result.answers().where("after is not null").count()).isEqualTo(4);
        checkPage(dir.resolve(output));
        Path again = dir.resolve(output + ".html");
        assertThat(Anneal.on(spark).report(List.of(result.output()), again.toString()))
            .isEqualTo(again.toString());
        assertThat(Files.readString(again)).contains("step 3 of 3", "After training");
      }
      assertThat(SparkPage.runs(spark))
          .as("the tab of Spark's pages")
          .contains("<h1>2 runs</h1>", "first", "second", "{\"x\":[1,2,3],\"y\":[")
          .doesNotContain("After training");
      assertThat(spark.range(7).count()).as("the session is still of use").isEqualTo(7);
    }
  }

  private static void checkPage(Path output) throws IOException {
    String page = Files.readString(output.resolve("report.html"));
    assertThat(page)
        .contains(">succeeded<", "step 3 of 3", "It finished.")
        .contains("preparing data", "starting ranks", "loading weights", "publishing")
        .contains("After training", "vllm serve", "Rows by their length in tokens")
        .contains("{\"x\":[1,2,3],\"y\":[");
  }

  @Test
  void refusesWhatIsMissingUnknownOrNoValueAndLeavesTheSession() throws IOException {
    try (SparkSession spark = LocalSpark.session(1)) {
      AnnealSession anneal = Anneal.on(spark);
      assertThatThrownBy(() -> anneal.prep(Map.of("data.source", "rows.json")))
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("model.path is not set");
      assertThatThrownBy(() -> anneal.run(Map.of("data.sauce", "rows.json")))
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("data.source");
      assertThatThrownBy(() -> anneal.run(Map.of("lora.r", new Object())))
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("is no text, number");
      assertThatThrownBy(() -> Anneal.main(new String[] {"run", "--set", "lora.rank=8"}))
          .as("main in a process that is not its own throws")
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("did you mean lora.r?");
      assertThat(spark.range(7).count()).isEqualTo(7);
    }
  }

  @Test
  void rowsThatExecutorsFindToBeBadAreAFailureAndNotARefusal() throws IOException {
    try (SparkSession spark = LocalSpark.session(1)) {
      AnnealSession anneal = Anneal.on(spark);
      spark
          .sql("select 'Say hello.' as instruction, id % 2 as output from range(8)")
          .selectExpr("instruction", "if(output = 0, 'Hello!', null) as output")
          .createOrReplaceTempView("half");
      assertThatThrownBy(() -> anneal.prep(prep("table:half")))
          .isInstanceOf(JobFailedException.class)
          .hasMessageContaining("data.max_bad_rows");
      assertThatThrownBy(() -> anneal.prep(prep("table:none")))
          .as("a table that is not there costs nothing")
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("table:none");
      assertThat(spark.range(7).count()).isEqualTo(7);
    }
  }

  private Map<String, Object> prep(String source) {
    return Map.of(
        "data.source", source,
        "model.tokenizer", CONF.resolve("tiny/model").toString(),
        "output.path", dir.resolve("out").toString());
  }

  @Test
  void aTokenizerThatIsLostWhileItTrainsIsAFailureAndNotARefusal() throws IOException {
    Path model = Files.createDirectories(dir.resolve("model"));
    try (Stream<Path> files = Files.list(CONF.resolve("tiny/model"))) {
      for (Path file : files.toList()) {
        Files.copy(file, model.resolve(file.getFileName()));
      }
    }
    Map<String, Object> config = new HashMap<>();
    config.put("model.path", model.toString());
    config.put("output.path", dir.resolve("out").toString());
    config.put("data.max_length", 128);
    config.put("data.packing", false);
    config.put("data.eval_rows", 0);
    config.put("training.micro_batch_size", 1);
    config.put("training.max_steps", 3);
    config.put("cluster.nodes", 1);
    String recipe = CONF.resolve("tiny.yaml").toString();
    try (SparkSession spark = LocalSpark.session(1)) {
      // what shows the answers reads it again
      PrintWriter out = deleting(model.resolve("tokenizer.json"), "Training 3 steps");
      AnnealSession anneal = Anneal.on(spark).printTo(out);
      assertThatThrownBy(() -> anneal.run(recipe, config))
          .isInstanceOf(JobFailedException.class)
          .hasMessageContaining("tokenizer.json");
      assertThat(Files.readString(dir.resolve("out/report.html")))
          .contains("class=\"state failed\"", "class=\"error\"", "tokenizer.json", "step 3 of 3");
      assertThat(spark.range(7).count()).isEqualTo(7);
    }
  }

  /** Takes a file away when it is told these words. */
  private static PrintWriter deleting(Path file, String words) {
    return new PrintWriter(
        new StringWriter() {
          @Override
          public void flush() {
            if (toString().contains(words)) {
              assertThatCode(() -> Files.deleteIfExists(file)).doesNotThrowAnyException();
            }
          }
        });
  }
}
