package dev.anneal.spark.report;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.training.trainer.StepMetrics;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.UnaryOperator;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a page takes of the driver, printed. */
class PageCostTest {
  private static final int ROUNDS = 8;

  @ParameterizedTest
  @ValueSource(ints = {1000, 100_000})
  void aPageStaysCheapHoweverLongTheRun(int steps) throws IOException {
    JsonNode record = WrittenRun.JSON.readTree(WrittenRun.RECORD);
    MetricsLog log = new MetricsLog();
    for (int step = 1; step <= steps; step++) {
      log.step(WrittenRun.step(step));
    }
    RunView run = new RunView("file:/run", record, log, null, Instant.now());
    double page = Double.POSITIVE_INFINITY;
    double held = Double.POSITIVE_INFINITY;
    int bytes = 0;
    for (int round = 0; round < ROUNDS; round++) {
      long began = System.nanoTime();
      bytes = ReportPage.of(List.of(run), UnaryOperator.identity()).length;
      page = Math.min(page, (System.nanoTime() - began) / 1e6);
      List<StepMetrics> told = new ArrayList<>();
      began = System.nanoTime();
      log.replay(told::add, (step, loss) -> {});
      held = Math.min(held, (System.nanoTime() - began) / 1e6);
    }
    System.out.println(
        String.format(
            Locale.ROOT,
            "%,d steps: a page of %,d bytes in %.1f ms, the log held for %.2f ms",
            steps,
            bytes,
            page,
            held));
    assertThat(bytes).isLessThan(1_000_000);
    assertThat(page).as("milliseconds, of 30,000").isLessThan(5000);
  }
}
