package dev.anneal.training.trainer;

import dev.anneal.training.fused.AttentionLibrary;
import dev.anneal.training.fused.FusedLlama;
import dev.anneal.training.fused.HeadProducts;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.Objective;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.optim.AdamWSpec;
import dev.anneal.training.optim.LearningRateSchedule;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.weights.FrozenLayers;
import java.io.Serializable;

/**
 * What a training run does, without where it runs.
 *
 * @param mode which weights train
 * @param lora the adapters; {@code null} when {@code mode} is {@code FULL}
 * @param seed of initial adapters, orders, dropout and noise
 * @param evaluation what is measured and shown of the model on the way
 */
public record TrainingSpec(
    Mode mode,
    LoraSpec lora,
    Weights weights,
    Compute compute,
    Batches batches,
    Updates updates,
    long seed,
    Evaluation evaluation)
    implements Serializable {

  /** Which weights train. */
  public enum Mode {
    LORA,
    FULL
  }

  /**
   * How the decoder layers' weights are held.
   *
   * @param dtype how they are stored
   * @param shard which ranks the frozen ones are split over
   * @param offloadRatio share of every frozen layer that waits in pinned host memory, 0 to 1
   * @param columns what becomes of the columns of frozen FP8 weights; they can be kept where every
   *     rank has all of its weights on its device
   * @param exactEdges layers at either end that are held and multiplied in the compute dtype where
   *     {@code dtype} is FP8; likewise
   */
  public record Weights(
      DType dtype,
      FrozenLayers.Shard shard,
      double offloadRatio,
      FusedLlama.Columns columns,
      int exactEdges)
      implements Serializable {

    /** Without columns that are kept and edges that are exact. */
    public Weights(DType dtype, FrozenLayers.Shard shard, double offloadRatio) {
      this(dtype, shard, offloadRatio, FusedLlama.Columns.MADE, 0);
    }

    /** The same, stored as {@code other}. */
    public Weights as(DType other) {
      return new Weights(other, shard, offloadRatio, columns, exactEdges);
    }

    /** The same with another share on the host. */
    public Weights withOffloadRatio(double ratio) {
      return new Weights(dtype, shard, ratio, columns, exactEdges);
    }

    /** The same with other columns. */
    public Weights with(FusedLlama.Columns other) {
      return new Weights(dtype, shard, offloadRatio, other, exactEdges);
    }

    /** The same with so many exact layers at either end. */
    public Weights withExactEdges(int edges) {
      return new Weights(dtype, shard, offloadRatio, columns, edges);
    }

    /** Whether weights have to lie whole on every device for what is asked. */
    public boolean areWhole() {
      return columns == FusedLlama.Columns.KEPT || exactEdges > 0;
    }
  }

  /**
   * How a layer is computed.
   *
   * @param dtype of activations
   * @param matmul what products with frozen weights are computed in
   * @param activations what layers keep of their forward for their backward
   * @param attention whose kernels compute attention in the fused layers on GPUs
   * @param head what products with a frozen head are computed in, in the fused layers
   */
  public record Compute(
      DType dtype,
      Matmul matmul,
      KeptActivations activations,
      AttentionLibrary attention,
      HeadProducts head)
      implements Serializable {

    /** With the attention that is the default, and an exact head. */
    public Compute(DType dtype, Matmul matmul, KeptActivations activations) {
      this(dtype, matmul, activations, AttentionLibrary.DEFAULT, HeadProducts.EXACT);
    }
  }

  /**
   * How the data is dealt to ranks and steps.
   *
   * @param microBatchSize sequences a rank takes at once
   * @param gradientAccumulation micro-batches of a rank per optimizer step
   * @param totalSteps optimizer steps of the run
   * @param shuffle give every epoch an order of its own from the seed
   */
  public record Batches(
      int microBatchSize, int gradientAccumulation, long totalSteps, boolean shuffle)
      implements Serializable {}

  /**
   * What the gradients are of, and how they change parameters.
   *
   * @param maxGradNorm clip the global gradient norm to this; 0 or less: never
   * @param onNan what becomes of a step whose loss or gradient is not finite
   * @param objective the loss
   */
  public record Updates(
      AdamWSpec optimizer,
      LearningRateSchedule schedule,
      double maxGradNorm,
      OnNan onNan,
      Objective objective)
      implements Serializable {

    /** Of cross-entropy per token. */
    public Updates(
        AdamWSpec optimizer, LearningRateSchedule schedule, double maxGradNorm, OnNan onNan) {
      this(optimizer, schedule, maxGradNorm, onNan, Objective.CROSS_ENTROPY);
    }
  }

  /**
   * When the model is measured on held-out rows, and what follows from it.
   *
   * @param sampleTokens longest greedy continuation of a sample, in tokens
   * @param everySteps optimizer steps between two evaluations; 0: before the first and after the
   *     last step only
   * @param keep which adapter is the result
   * @param patience evaluations in a row without a gain that end the run; 0: none do
   * @param minDelta the smallest fall of the loss that is a gain
   */
  public record Evaluation(
      int sampleTokens, long everySteps, Keep keep, int patience, double minDelta)
      implements Serializable {

    /** Before the first and after the last step only. */
    public static Evaluation atBothEnds(int sampleTokens) {
      return new Evaluation(sampleTokens, 0, Keep.LAST, 0, 0);
    }
  }

  /** Which adapter is the result of a run. */
  public enum Keep {
    LAST,
    /** That of the smallest held-out loss. */
    BEST
  }

  /** What becomes of a step whose loss or gradient is not finite. */
  public enum OnNan {
    STOP,
    /** It is counted and leaves no trace in the parameters. */
    SKIP
  }
}
