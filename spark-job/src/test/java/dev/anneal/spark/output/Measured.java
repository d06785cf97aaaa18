package dev.anneal.spark.output;

import dev.anneal.training.timing.StepTimes;
import dev.anneal.training.trainer.StepMetrics;

/** Steps as a run measures them. */
public final class Measured {
  private Measured() {}

  public static StepMetrics step(long step) {
    return timed(step, StepTimes.UNKNOWN);
  }

  static StepMetrics timed(long step, StepTimes times) {
    return new StepMetrics(
        step, 2.0 / step, 0.5, 1e-4, 30, 100, 1234.5, 1L << 20, 0.1, false, times);
  }

  public static StepMetrics skipped(long step) {
    return new StepMetrics(
        step,
        Double.NaN,
        Double.POSITIVE_INFINITY,
        1e-4,
        30,
        100,
        1234.5,
        1L << 20,
        0.1,
        true,
        StepTimes.UNKNOWN);
  }

  static MetricsLog log(long steps) {
    MetricsLog log = new MetricsLog();
    log.evaluation(0, 2.5);
    for (long step = 1; step <= steps; step++) {
      log.step(step(step));
    }
    return log;
  }
}
