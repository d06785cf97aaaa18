package dev.anneal.spark.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.SubmittedJob;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/** Whole runs on Kubernetes: an unchanged Spark 4.1, its client, its pods. */
class KubernetesIT {
  @TempDir(cleanup = CleanupMode.NEVER)
  static Path folder;

  private static Cluster cluster;

  @BeforeAll
  static void start() throws Exception {
    cluster = Cluster.start(folder, Map.of());
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  @Test
  void clientMode() throws Exception {
    List<String> words =
        new ArrayList<>(List.of("run", "--config", SubmittedJob.recipe().toString()));
    words.addAll(List.of("--set", "training.max_steps=5", "--set", "output.path=out"));
    words.addAll(List.of("--master", cluster.master()));
    Map.of(
            "spark.driver.host", "127.0.0.1",
            "spark.kubernetes.container.image", "anneal:test",
            "spark.executor.instances", "2",
            "spark.executor.cores", "1",
            "spark.executor.memory", "1g",
            "spark.kubernetes.executor.deleteOnTermination", "false",
            "spark.executor.extraJavaOptions",
                "-XX:TieredStopAtLevel=1 -Dorg.bytedeco.javacpp.cachedir="
                    + Cluster.HOME.resolve("spark-job/target/natives"))
        .forEach((key, value) -> words.addAll(List.of("--conf", key + "=" + value)));
    try (SubmittedJob job =
        SubmittedJob.start(
            folder, new ProcessBuilder("env", "SPARK_HOME=" + cluster.sparkHome()), words)) {
      int code = job.await();
      System.out.println(job.out() + job.err());
      for (Pod pod : cluster.api().pods()) {
        System.out.println(pod.json().toPrettyString());
        System.out.println(cluster.log(pod));
      }
      assertThat(code).as(job.out() + job.err()).isZero();
    }
  }
}
