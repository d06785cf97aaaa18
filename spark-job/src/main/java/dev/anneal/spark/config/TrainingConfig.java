package dev.anneal.spark.config;

import dev.anneal.training.model.Objective.Per;
import dev.anneal.training.trainer.TrainingSpec;
import java.io.Serializable;

/**
 * What trains, in which batches and for how long: the section {@code training} of {@link
 * AnnealConfig}.
 *
 * @param gradientAccumulation micro-batches of a rank per optimizer step
 * @param epochs passes over the data; where set, it takes precedence over {@code maxSteps}
 */
public record TrainingConfig(
    TrainingSpec.Mode mode,
    int microBatchSize,
    int gradientAccumulation,
    long maxSteps,
    Double epochs,
    Objective objective,
    Gradient gradient,
    long seed)
    implements Serializable {

  /**
   * The loss that training makes smaller.
   *
   * @param loss what it is the mean over
   * @param labelSmoothing share of every target that is spread over the vocabulary
   * @param neftuneNoiseAlpha how loud the noise on the embedded tokens is; 0: there is none
   */
  public record Objective(Per loss, double labelSmoothing, double neftuneNoiseAlpha)
      implements Serializable {}

  /**
   * What becomes of a gradient.
   *
   * @param maxGradNorm clips its global norm; 0: never
   * @param onNan what becomes of a step whose loss or gradient is not finite
   */
  public record Gradient(double maxGradNorm, TrainingSpec.OnNan onNan) implements Serializable {}
}
