package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Options of Spark that exclude each other: one sentence, and no run that waits for ever. */
@Tag("faults")
class SparkOptionsIT {
  private static final Duration PATIENCE = Duration.ofMinutes(2);

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "spark.executor.cores=64 | no executor would ever start",
        "spark.cores.max=1 spark.executor.cores=2 spark.master=local-cluster[2,2,1024]"
            + " | spark.cores.max is 1, and an executor takes 2 cores",
        "spark.executor.heartbeatInterval=500s | spark.network.timeout",
        "spark.executor.memory=4g | 1024 MiB/worker",
        "spark.executor.extraJavaOptions=-Xmx1g | max heap",
        "spark.network.timeout=soon | soon",
      })
  void areRefusedInOneSentence(String options, String words) throws Exception {
    List<String> args = new ArrayList<>(List.of("run", "--config=" + SubmittedJob.recipe()));
    args.add("--set=output.path=out");
    for (String option : options.split(" ", -1)) {
      args.addAll(List.of("--conf", option));
    }
    try (SubmittedJob job = SubmittedJob.start(folder, args.toArray(String[]::new))) {
      assertThat(job.await(PATIENCE)).as(job.out() + job.err()).isEqualTo(2);
      assertThat(job.err().lines()).singleElement().asString().startsWith("anneal: ");
      assertThat(job.err()).contains(words);
    }
  }
}
