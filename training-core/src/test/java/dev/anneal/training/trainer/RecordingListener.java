package dev.anneal.training.trainer;

import java.util.ArrayList;
import java.util.List;

/** Keeps what a run reports. */
class RecordingListener implements TrainingListener {
  private final List<StepMetrics> steps = new ArrayList<>();
  private final List<Double> evaluations = new ArrayList<>();
  private final List<int[]> samples = new ArrayList<>();
  private List<Long> peakMemory = List.of();

  List<StepMetrics> steps() {
    return steps;
  }

  /** Losses and gradient norms of {@code steps}, one after the other. */
  static List<Double> numbers(List<StepMetrics> steps) {
    List<Double> numbers = new ArrayList<>();
    for (StepMetrics step : steps) {
      numbers.add(step.loss());
      numbers.add(step.gradNorm());
    }
    return numbers;
  }

  List<Double> evaluations() {
    return evaluations;
  }

  List<int[]> samples() {
    return samples;
  }

  /** Of each rank, as told last. */
  List<Long> peakMemory() {
    return peakMemory;
  }

  @Override
  public void onPeakMemory(List<Long> bytes) {
    peakMemory = bytes;
  }

  @Override
  public void onPhase(String phase) {}

  @Override
  public void onStep(StepMetrics metrics) {
    steps.add(metrics);
  }

  @Override
  public void onEvaluation(long step, double evalLoss) {
    evaluations.add(evalLoss);
  }

  @Override
  public void onSample(long step, int sample, int[] promptIds, int[] generatedIds) {
    samples.add(generatedIds);
  }

  @Override
  public boolean cancelled() {
    return false;
  }
}
