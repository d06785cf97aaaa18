package dev.anneal.spark.sparkui;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.spark.report.RunView;
import dev.anneal.training.timing.StepTimes;
import dev.anneal.training.trainer.StepMetrics;
import java.time.Instant;

/** A run that somebody plays: what is measured, and what its record says. */
final class ToldRun {
  static final String SECRET = "hunter2";
  private static final String RECORD =
      """
      {"state": "running", "started_at": "2026-11-29T10:10:00Z", "planned_steps": 400000,
       "config": {"data": {"source": "s3a://key:hunter2@bucket/rows.json"}},
       "samples": [{"prompt": "Who has the hat?", "before": "Ella.", "after": "Aye."}],
       "totals": {"steps": 4}}
      """;

  private final String location;
  private final MetricsLog log = new MetricsLog();
  private final ObjectNode record;

  ToldRun(String location) throws Exception {
    this.location = location;
    this.record = (ObjectNode) new ObjectMapper().readTree(RECORD);
  }

  RunView view() {
    return new RunView(location, record.deepCopy(), log, null, Instant.now());
  }

  void steps(long from, long to) {
    for (long step = from; step <= to; step++) {
      log.step(
          new StepMetrics(
              step,
              2.0 / step,
              0.5,
              1e-4,
              30,
              100,
              900,
              3L << 30,
              step / 26.0,
              false,
              StepTimes.UNKNOWN));
    }
  }

  void ended(String state) {
    record.put("state", state).put("ended_at", "2026-11-29T10:20:00Z");
    log.evaluation(log.lastStep(), 0.4321);
  }

  static String masked(String text) {
    return text == null ? null : text.replace(SECRET, "*********");
  }
}
