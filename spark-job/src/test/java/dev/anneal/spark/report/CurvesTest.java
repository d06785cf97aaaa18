package dev.anneal.spark.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.training.timing.StepTimes;
import dev.anneal.training.trainer.StepMetrics;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class CurvesTest {
  @Test
  void smoothsAsAnExponentialMeanThatKnowsWhereItBegan() {
    double[] smooth = Curves.smoothed(new double[] {1, 2, 3}, 3);
    assertThat(smooth[0]).isEqualTo(1);
    assertThat(smooth[1]).isCloseTo((0.5 * 1 + 2) / 1.5, within(1e-12));
    assertThat(smooth[2]).isCloseTo((0.25 * 1 + 0.5 * 2 + 3) / 1.75, within(1e-12));
  }

  @Test
  void aSkippedStepIsAGapInTheRawCurveAndNoneInTheSmoothOne() {
    MetricsLog log = new MetricsLog();
    log.step(step(1, 2.0));
    log.step(step(2, Double.NaN));
    log.step(step(3, 1.0));
    JsonNode json = new Curves(log).json();
    assertThat(json.path("loss").toString()).isEqualTo("{\"x\":[1,2,3],\"y\":[2,null,1]}");
    assertThat(values(json, "smooth")).hasSize(3).doesNotContainNull();
  }

  @Test
  void aLongCurveKeepsItsEndsAndEverySpike() {
    MetricsLog log = new MetricsLog();
    int steps = 50_000;
    for (int step = 1; step <= steps; step++) {
      double loss = step == 12_345 ? 99 : step == 40_001 ? 0.001 : 1 + 0.1 * Math.sin(step);
      log.step(step(step, step == 777 ? Double.NaN : loss));
    }
    JsonNode json = new Curves(log).json();
    List<Double> loss = values(json, "loss");
    assertThat(loss).hasSizeLessThanOrEqualTo(Curves.MOST_POINTS).hasSizeGreaterThan(1000);
    assertThat(loss).doesNotContainNull().contains(99.0, 0.001);
    List<Long> x = new ArrayList<>();
    json.at("/loss/x").forEach(step -> x.add(step.longValue()));
    assertThat(x).isSorted().doesNotHaveDuplicates().contains(12_345L, 40_001L);
    assertThat(x.get(0)).isLessThan(100);
    assertThat(x.get(x.size() - 1)).isGreaterThan(steps - 100L);
    assertThat(json.toString().length()).as("a page stays small").isLessThan(300_000);
  }

  private static List<Double> values(JsonNode json, String curve) {
    List<Double> values = new ArrayList<>();
    json.path(curve).path("y").forEach(y -> values.add(y.isNull() ? null : y.doubleValue()));
    return values;
  }

  private static StepMetrics step(long step, double loss) {
    return new StepMetrics(
        step, loss, 0.5, 1e-4, 30, 100, 1000, 1L << 20, 0.1, Double.isNaN(loss), StepTimes.UNKNOWN);
  }
}
