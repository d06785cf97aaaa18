package dev.anneal.spark.report;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.training.timing.StepTimes;
import dev.anneal.training.trainer.StepMetrics;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunSnapshotTest {
  @TempDir Path dir;

  @Test
  void thePageOfASnapshotIsThatOfTheRunButForItsSamples() throws Exception {
    RunView run = run();
    String page = page(RunSnapshot.read(RunSnapshot.of(run, 2000, UnaryOperator.identity())));
    String title = "<h2>Held-out prompts, before and after</h2>\n";
    String whole = page(run);
    String samples = whole.substring(whole.indexOf(title) + title.length());
    samples = samples.substring(0, samples.indexOf("<h2>"));
    assertThat(samples).contains("Who has the hat?");
    assertThat(page).isEqualTo(whole.replace(title + samples, ""));
  }

  @Test
  void noSecretIsInIt() throws Exception {
    String snapshot =
        RunSnapshot.of(run(), 2000, text -> text.replaceAll("hunter2|no output", "*********"));
    assertThat(snapshot)
        .contains("s3a://key:*********@bucket", "\"*********\":7")
        .doesNotContain("hunter2", "no output", "Who has the hat?");
  }

  @Test
  void ofManyStepsThoseThatStandOutAreKept() throws Exception {
    MetricsLog log = new MetricsLog();
    for (long step = 1; step <= 10_000; step++) {
      log.step(step == 7_777 ? spike(step) : WrittenRun.step(step));
    }
    RunView run = new RunView("file:/one", record(), log, null, Instant.now());
    List<StepMetrics> kept = new ArrayList<>();
    RunSnapshot.read(RunSnapshot.of(run, 100, UnaryOperator.identity()))
        .metrics()
        .replay(kept::add, (step, loss) -> {});
    assertThat(kept).hasSizeBetween(50, 101);
    assertThat(kept).extracting(StepMetrics::step).isSorted().contains(1L, 7_777L, 10_000L);
  }

  @Test
  void whatAnotherVersionHasWrittenIsRefused() throws Exception {
    String snapshot = RunSnapshot.of(run(), 2000, UnaryOperator.identity());
    for (String other : List.of("", "{}", snapshot.replace("grad_norm", "norm"))) {
      assertThatThrownBy(() -> RunSnapshot.read(other))
          .isInstanceOf(InvalidDataException.class)
          .hasMessageContaining("another version");
    }
  }

  private RunView run() throws Exception {
    WrittenRun run = WrittenRun.in(dir.resolve("run")).metrics(40);
    return RunFiles.read(run.path().toString(), new Configuration());
  }

  private static JsonNode record() throws Exception {
    return WrittenRun.JSON.readTree(WrittenRun.RECORD);
  }

  private static StepMetrics spike(long step) {
    return new StepMetrics(
        step, 9, 9, 1e-4, 30, 100, 900, 3L << 30, step / 26.0, false, StepTimes.UNKNOWN);
  }

  private static String page(RunView run) {
    return new String(RunReport.page(List.of(run), UnaryOperator.identity()), UTF_8);
  }
}
