package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.train.NodeTask;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Executors that leave by themselves, and those that the cluster takes back. */
@Tag("faults")
class LeavingExecutorIT {
  @TempDir Path folder;

  /** A JVM that does not start never tells Spark that it was there. */
  @Test
  void whatTheLogOfAnExecutorSaysThatNeverBeganIsTheCause() throws Exception {
    try (SubmittedJob job =
        SubmittedJob.start(
            folder,
            command("--conf", "spark.executor.extraJavaOptions=-agentpath:/no/such/library.so"))) {
      assertThat(job.await()).as(job.out() + job.err()).isEqualTo(1);
      assertThat(job.err().lines()).singleElement().asString().contains("/no/such/library.so");
    }
  }

  @Test
  void theSameEndTwiceBeforeTheFirstStepIsTheEndOfTheRun() throws Exception {
    String agent = HaltingAgent.option(folder, NodeTask.class);
    try (SubmittedJob job =
        SubmittedJob.start(folder, command("--conf", "spark.executor.extraJavaOptions=" + agent))) {
      assertThat(job.await()).as(job.out() + job.err()).isEqualTo(1);
      assertThat(job.err().lines())
          .singleElement()
          .asString()
          .matches(
              "anneal: Executor \\d+ on \\S+ was lost before its ranks began:"
                  + " java.lang.IllegalStateException: no such device .*");
      assertThat(attempts(folder.resolve("out"))).as(job.out()).isEqualTo(2);
    }
  }

  @Test
  void ranksLeaveAnExecutorThatIsDecommissionedWithACheckpoint() throws Exception {
    try (SubmittedJob job =
        SubmittedJob.start(folder, command("--conf", "spark.decommission.enabled=true"))) {
      job.awaitOutput("step ");
      ProcessHandle executor = job.executors().get(0);
      new ProcessBuilder("kill", "-PWR", Long.toString(executor.pid())).start().waitFor();
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(job.out())
          .containsPattern("The cluster takes the executor of rank [01] on \\S+ back")
          .containsPattern("Beginning again after step \\d+");
      assertThat(executor.isAlive()).isFalse();
    }
  }

  private static int attempts(Path output) throws Exception {
    return new ObjectMapper().readTree(output.resolve("run.json").toFile()).path("attempts").size();
  }

  private static String[] command(String... spark) {
    List<String> args =
        new ArrayList<>(List.of("run", "--config", SubmittedJob.recipe().toString()));
    args.addAll(List.of("--set", "output.path=out", "--set", "training.max_steps=60"));
    // only at the end, or where the ranks are told to leave
    args.addAll(List.of("--set", "checkpoint.every_steps=1000"));
    args.addAll(List.of(spark));
    return args.toArray(String[]::new);
  }
}
