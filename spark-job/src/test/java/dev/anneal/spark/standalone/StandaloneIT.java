package dev.anneal.spark.standalone;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.HdfsServer;
import dev.anneal.spark.SubmittedJob;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A standalone cluster of an unchanged Spark whose drivers run on its workers. */
@Tag("faults")
class StandaloneIT {
  @TempDir Path folder;

  @Test
  void driversInTheClusterTrainOnceAndTellHowTheyEnded() throws Exception {
    try (HdfsServer hdfs = HdfsServer.start(folder);
        StandaloneCluster cluster = StandaloneCluster.start(folder, "4.1")) {
      String output = hdfs.uri("out");
      try (SubmittedJob job = submit(cluster, "output.path=" + output)) {
        assertThat(job.await()).as(said(job, cluster)).isZero();
      }
      JsonNode run = new ObjectMapper().readTree(read(hdfs, output + "/run.json"));
      assertThat(run.path("state").asText())
          .as("%s%n%s", run, cluster.drivers())
          .isEqualTo("succeeded");
      assertThat(run.path("attempts")).hasSize(1);
      assertThat(hdfs.storage().exists(output + "/adapter/adapter_model.safetensors")).isTrue();

      String local = "output.path=" + folder.resolve("out");
      try (SubmittedJob job = submit(cluster, local)) {
        assertThat(job.await()).as(said(job, cluster)).isEqualTo(1);
        assertThat(job.err()).containsPattern("anneal: state of driver driver-\\S+ is FAILED: ");
      }
      // weights that are no numbers after a step or two
      String failed = hdfs.uri("failed");
      try (SubmittedJob job =
          submit(cluster, "output.path=" + failed, "optimizer.learning_rate=1.0e+30")) {
        assertThat(job.await()).as(said(job, cluster)).isEqualTo(1);
        assertThat(job.err()).containsPattern("anneal: state of driver driver-\\S+ is FAILED: ");
      }
      JsonNode failure = new ObjectMapper().readTree(read(hdfs, failed + "/run.json"));
      assertThat(failure.path("state").asText()).isEqualTo("failed");
      assertThat(failure.path("error").asText()).contains("the loss is NaN");

      assertThat(cluster.drivers())
          .contains("anneal: ", "the loss is NaN")
          .containsOnlyOnce("lies on the machine that the cluster has chosen for the driver");
      assertThat(cluster.log()).contains("FINISHED", "FAILED");
    }
  }

  private SubmittedJob submit(StandaloneCluster cluster, String... sets) throws Exception {
    List<String> words =
        Stream.concat(
                Stream.of(
                    "run",
                    "--config",
                    SubmittedJob.recipe().toString(),
                    "--master",
                    cluster.master(),
                    "--deploy-mode",
                    "cluster",
                    "--conf",
                    "spark.executor.cores=1",
                    "--conf",
                    "spark.executor.memory=1g",
                    "--driver-memory",
                    "1g",
                    "--set",
                    "training.max_steps=4"),
                Stream.of(sets).flatMap(set -> Stream.of("--set", set)))
            .toList();
    return SubmittedJob.start(
        folder, Map.of("SPARK_HOME", cluster.spark().toString()), words.toArray(String[]::new));
  }

  private static String said(SubmittedJob job, StandaloneCluster cluster) throws Exception {
    return job.out() + job.err() + cluster.log() + cluster.drivers();
  }

  private static byte[] read(HdfsServer hdfs, String location) throws Exception {
    try (InputStream in = hdfs.storage().open(location)) {
      return in.readAllBytes();
    }
  }
}
