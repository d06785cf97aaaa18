package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.sparkui.HistoryPages;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every line of Spark: the embedded one as Maven resolves it, and an unchanged distribution that
 * knows nothing of Anneal but the jars of one plain {@code spark-submit}. {@code mvn -Pdist
 * package} makes the jars.
 */
@Tag("lines")
class LinesIT {
  private static final int STEPS = 12;

  @TempDir Path folder;

  private Path output;

  @BeforeEach
  void nameTheOutput() {
    output = folder.resolve("out");
  }

  @ParameterizedTest
  @ValueSource(strings = {"3.5_2.12", "3.5_2.13", "4.0_2.13", "4.2_2.13"})
  void trainsOnTheEmbeddedSparkOf(String line) throws Exception {
    ProcessBuilder place = new ProcessBuilder();
    place.environment().put("ANNEAL_SPARK_LINE", line);
    try (SubmittedJob job = SubmittedJob.start(folder, place, request())) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(job.err()).isEmpty();
    }
    assertTrained(line);
  }

  /** An executor is killed on the way, so that a second attempt goes on from a checkpoint. */
  @ParameterizedTest
  @ValueSource(strings = {"3.5_2.12", "4.0_2.13", "4.1_2.13", "4.2_2.13"})
  void trainsOnAnUnchangedSparkThroughALostExecutor(String line) throws Exception {
    ProcessBuilder spark =
        new ProcessBuilder(
            UnchangedSpark.home(line.substring(0, line.indexOf('_')))
                .resolve("bin/spark-submit")
                .toString(),
            "--class",
            "dev.anneal.spark.Anneal",
            "--master",
            "local-cluster[2,1,1024]",
            "--conf",
            "spark.ui.enabled=false",
            "--conf",
            "spark.eventLog.enabled=true",
            "--conf",
            "spark.eventLog.dir=" + Files.createDirectory(folder.resolve("logs")).toUri(),
            "--jars",
            RuntimeJars.natives().toString(),
            RuntimeJars.of(line).toString());
    spark.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
    List<String> submit = List.copyOf(spark.command());
    try (SubmittedJob job = SubmittedJob.startCommand(folder, spark, request())) {
      job.awaitFile(output.resolve("checkpoints/step-00000004/manifest.json"));
      job.executors().get(0).destroyForcibly();
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(job.out()).contains("was lost", "Held-out loss");
    }
    assertTrained(line);
    assertThat(record().path("attempts")).hasSize(2);
    assertInHistory(line);
    spark.command(new ArrayList<>(submit));
    assertMerges(spark);
  }

  /** The History Server of the same distribution has the jar that was sent to the cluster. */
  private void assertInHistory(String line) throws Exception {
    String spark = UnchangedSpark.home(line.substring(0, line.indexOf('_'))).resolve("jars") + "/*";
    try (HistoryPages pages =
        HistoryPages.of(
            record().at("/spark/application_id").asText(),
            folder.resolve("logs"),
            folder.resolve("history.txt"),
            RuntimeJars.of(line) + File.pathSeparator + spark)) {
      assertThat(pages.get("/anneal/report/")).contains(">succeeded<", "step 12 of 12");
      assertThat(pages.get("/jobs/")).contains("/anneal/\"");
    }
  }

  private void assertMerges(ProcessBuilder spark) throws Exception {
    List<String> request =
        List.of(
            "merge",
            "--adapter",
            output + "/adapter",
            "--output",
            folder + "/merged",
            "--max-shard-size",
            "1MB",
            "--verify");
    try (SubmittedJob job = SubmittedJob.startCommand(folder, spark, request)) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(job.out()).contains("as written (SHA-256)", "likeliest tokens equal");
    }
    assertThat(folder.resolve("merged/model.safetensors.index.json")).exists();
  }

  private List<String> request() {
    return List.of(
        "run",
        "--config",
        SubmittedJob.recipe().toString(),
        "--set",
        "training.max_steps=" + STEPS,
        "--set",
        "checkpoint.every_steps=4",
        "--set",
        "output.path=" + output);
  }

  private void assertTrained(String line) throws IOException {
    JsonNode run = record();
    assertThat(run.path("state").asText()).isEqualTo("succeeded");
    assertThat(run.at("/versions/spark").asText())
        .startsWith(line.substring(0, line.indexOf('_')) + ".");
    assertThat(run.at("/totals/steps").asInt()).isEqualTo(STEPS);
    assertThat(output.resolve("adapter/adapter_model.safetensors")).exists();
  }

  private JsonNode record() throws IOException {
    return new ObjectMapper().readTree(output.resolve("run.json").toFile());
  }
}
