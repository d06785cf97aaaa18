package dev.anneal.spark.report;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.spark.output.MetricsLog;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PageSizeTest {

  @ParameterizedTest
  @ValueSource(ints = {1000, 100_000})
  void aPageStaysSmallHoweverLongTheRun(int steps) throws IOException {
    JsonNode record = WrittenRun.JSON.readTree(WrittenRun.RECORD);
    MetricsLog log = new MetricsLog();
    for (int step = 1; step <= steps; step++) {
      log.step(WrittenRun.step(step));
    }
    RunView run = new RunView("file:/run", record, log, null, Instant.now());
    assertThat(ReportPage.of(List.of(run), UnaryOperator.identity()).length).isLessThan(1_000_000);
  }
}
