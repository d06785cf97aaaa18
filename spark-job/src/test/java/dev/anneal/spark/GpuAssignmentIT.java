package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.train.GpuAssignmentProbe;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Spark's own GPU scheduling on the embedded cluster, with GPUs that only a script knows of. */
class GpuAssignmentIT {
  private static final Path HOME = Path.of(System.getProperty("anneal.home"));
  private static final Path TARGET = HOME.resolve("spark-job/target");

  @TempDir Path folder;

  @Test
  void onlyTheTrainingStageGetsGpusAndTakesWhatTheDiscoveryScriptFound() throws Exception {
    Path script = folder.resolve("gpus");
    Files.writeString(
        script,
        "#!/bin/sh\nCUDA_VISIBLE_DEVICES=4,6 exec %s/conf/gpu-discovery.sh\n".formatted(HOME));
    assertThat(script.toFile().setExecutable(true)).isTrue();
    String classPath = "%1$s/app/*:%1$s/app-cpu/*:%1$s/test-classes".formatted(TARGET);
    try (SubmittedJob job =
        SubmittedJob.start(
            folder,
            "run",
            "--master",
            "local-cluster[2,1,1024]",
            "--class",
            GpuAssignmentProbe.class.getName(),
            "--driver-class-path",
            classPath,
            "--conf",
            "spark.executor.extraClassPath=" + classPath,
            "--conf",
            "spark.worker.resource.gpu.amount=2",
            "--conf",
            "spark.worker.resource.gpu.discoveryScript=" + script,
            "--conf",
            "spark.executor.resource.gpu.amount=2",
            "--conf",
            "spark.executor.resource.gpu.discoveryScript=" + script)) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(job.out().lines())
          .containsExactly("plain tasks: [0, 0, 0, 0]", "task 0: [0, 1]", "task 1: [0, 1]");
    }
  }
}
