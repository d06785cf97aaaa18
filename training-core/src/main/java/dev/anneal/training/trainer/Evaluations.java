package dev.anneal.training.trainer;

import dev.anneal.training.checkpoint.EvaluationState;
import java.util.function.BooleanSupplier;

/**
 * When a run is evaluated on its way, and what follows from that; the same on every rank, because
 * all measure the same loss. An evaluation belongs to the step whose parameters it measures, and
 * goes before the checkpoint of that step, which holds what it has found: whoever goes on from a
 * checkpoint that lacks it begins with it.
 */
final class Evaluations {
  private final TrainingSpec.Evaluation spec;
  private final long totalSteps;
  private final Evaluator evaluator;
  private final BooleanSupplier stops;
  private EvaluationState state;

  /**
   * @param stops whether this rank is to leave
   * @param state where the run begins
   */
  Evaluations(
      TrainingSpec spec, Evaluator evaluator, BooleanSupplier stops, EvaluationState state) {
    this.spec = spec.evaluation();
    this.totalSteps = spec.batches().totalSteps();
    this.evaluator = evaluator;
    this.stops = stops;
    this.state = state;
  }

  /** Whether the run is evaluated on its way. */
  boolean areMade() {
    return spec.everySteps() > 0;
  }

  /** Whether the run is to be evaluated after {@code step} steps, and has not been. */
  boolean isDue(long step) {
    return areMade()
        && step > 0
        && (step % spec.everySteps() == 0 || step == totalSteps)
        && state.step() != step;
  }

  /**
   * Evaluates after {@code step} steps; returns what that asks of the checkpoint after them.
   *
   * @throws TrainingStopped if a rank is to leave; then it is as if nobody had asked
   */
  RunCheckpoints.Cause evaluate(long step) {
    state = state.after(step, evaluator.evaluate(step, stops), spec.minDelta());
    if (areOver()) {
      return RunCheckpoints.Cause.END;
    }
    return spec.keep() == TrainingSpec.Keep.BEST && state.bestStep() == step
        ? RunCheckpoints.Cause.BEST
        : RunCheckpoints.Cause.SCHEDULE;
  }

  /** What they have found so far. */
  EvaluationState state() {
    return state;
  }

  /** Whether the run ends because nothing was gained for too long. */
  boolean areOver() {
    return areMade() && spec.patience() > 0 && state.withoutGain() >= spec.patience();
  }

  /** How a run ends after {@code step} steps. */
  EvaluatedEnd end(long step) {
    return new EvaluatedEnd(
        step,
        areOver() && step < totalSteps,
        state.withoutGain(),
        state.bestStep(),
        state.bestLoss(),
        resultOf(step));
  }

  /** The step whose checkpoint must be there when the run ends; 0: none. */
  long kept() {
    return spec.keep() == TrainingSpec.Keep.BEST ? state.bestStep() : 0;
  }

  /** The step whose adapter is the result of a run that has ended after {@code step} steps. */
  long resultOf(long step) {
    return kept() > 0 ? kept() : step;
  }
}
