package dev.anneal.spark.output;

import dev.anneal.training.timing.StepTimes;
import dev.anneal.training.trainer.StepMetrics;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/**
 * Medians of the times of a run's last steps.
 *
 * @param steps that they are of
 * @param step wall time, in milliseconds
 * @param parts of it by what they are called, in milliseconds; they overlap
 */
public record WhereTimeGoes(int steps, double step, Map<String, Double> parts) {
  private static final int MOST_STEPS = 50;

  /** Empty where no step was timed. */
  public static Optional<WhereTimeGoes> of(MetricsLog log) {
    List<StepTimes> last =
        log.lastSteps(MOST_STEPS).stream()
            .map(StepMetrics::times)
            .filter(StepTimes::areKnown)
            .toList();
    if (last.isEmpty()) {
      return Optional.empty();
    }
    Map<String, Double> parts = new LinkedHashMap<>();
    parts.put("device", median(last, StepTimes::device));
    parts.put("exchange", median(last, StepTimes::exchange));
    parts.put("offload", median(last, StepTimes::offload));
    parts.put("host enqueue", median(last, StepTimes::hostEnqueue));
    parts.put("data wait", median(last, StepTimes::dataWait));
    return Optional.of(new WhereTimeGoes(last.size(), median(last, StepTimes::step), parts));
  }

  private static double median(List<StepTimes> times, ToDoubleFunction<StepTimes> part) {
    double[] sorted = times.stream().mapToDouble(part).sorted().toArray();
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  /** In one line. */
  public String sentence() {
    return "A step takes %s ms: %s (medians of the last %s, parts overlap)."
        .formatted(
            shown(step),
            parts.entrySet().stream()
                .map(part -> part.getKey() + " " + shown(part.getValue()))
                .collect(Collectors.joining(", ")),
            steps);
  }

  private static String shown(double millis) {
    return String.format(Locale.ROOT, "%,.1f", millis);
  }
}
