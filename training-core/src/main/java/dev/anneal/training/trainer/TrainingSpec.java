package dev.anneal.training.trainer;

import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.Llama.Activations;
import dev.anneal.training.optim.AdamWSpec;
import dev.anneal.training.optim.LearningRateSchedule;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.weights.FrozenWeights.Shard;
import java.io.Serializable;

/**
 * What a training run does, without where it runs.
 *
 * @param mode which weights train
 * @param lora the adapters; {@code null} when {@code mode} is {@code FULL}
 * @param baseDtype how the decoder layers' weights are stored
 * @param shard which ranks the frozen decoder layers are split over
 * @param offloadRatio share of every frozen layer that waits in pinned host memory, 0 to 1
 * @param computeDtype what activations are computed in
 * @param matmul what products with frozen weights are computed in
 * @param activations what a layer keeps of its forward for its backward
 * @param microBatchSize sequences a rank takes at once
 * @param gradientAccumulation micro-batches of a rank per optimizer step
 * @param totalSteps optimizer steps of the run
 * @param shuffle give every epoch an order of its own from {@code seed}
 * @param maxGradNorm clip the global gradient norm to this; 0 or less: never
 * @param onNan what becomes of a step whose loss or gradient is not finite
 * @param sampleTokens longest greedy continuation of a sample, in tokens
 */
public record TrainingSpec(
    Mode mode,
    LoraSpec lora,
    DType baseDtype,
    Shard shard,
    double offloadRatio,
    DType computeDtype,
    Matmul matmul,
    Activations activations,
    int microBatchSize,
    int gradientAccumulation,
    long totalSteps,
    boolean shuffle,
    double maxGradNorm,
    OnNan onNan,
    long seed,
    AdamWSpec optimizer,
    LearningRateSchedule schedule,
    int sampleTokens)
    implements Serializable {

  /** What becomes of a step whose loss or gradient is not finite. */
  public enum OnNan {
    STOP,
    /** It is counted and leaves no trace in the parameters. */
    SKIP
  }

  /** Which weights train. */
  public enum Mode {
    LORA,
    FULL
  }
}
