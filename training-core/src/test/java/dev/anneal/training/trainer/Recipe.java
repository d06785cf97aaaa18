package dev.anneal.training.trainer;

import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.Objective;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.optim.AdamWSpec;
import dev.anneal.training.optim.LearningRateSchedule;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.trainer.TrainingSpec.Batches;
import dev.anneal.training.trainer.TrainingSpec.Compute;
import dev.anneal.training.trainer.TrainingSpec.Evaluation;
import dev.anneal.training.trainer.TrainingSpec.Updates;
import dev.anneal.training.trainer.TrainingSpec.Weights;
import dev.anneal.training.weights.FrozenLayers;
import dev.anneal.training.weights.FrozenLayers.Shard;

/** A training recipe to vary. */
final class Recipe {
  private final TrainingSpec.Mode mode;
  private final long seed;
  private LoraSpec lora;
  private Weights weights;
  private Compute compute;
  private Batches batches;
  private Updates updates;
  private Evaluation evaluation;

  private Recipe(TrainingSpec start) {
    this.mode = start.mode();
    this.seed = start.seed();
    this.lora = start.lora();
    this.weights = start.weights();
    this.compute = start.compute();
    this.batches = start.batches();
    this.updates = start.updates();
    this.evaluation = start.evaluation();
  }

  static Recipe from(TrainingSpec spec) {
    return new Recipe(spec);
  }

  /** Every weight trains, in fp32, at a constant learning rate. */
  static Recipe full(long totalSteps, double learningRate) {
    return new Recipe(
        new TrainingSpec(
            TrainingSpec.Mode.FULL,
            null,
            whole(DType.FP32),
            new Compute(DType.FP32, Matmul.COMPUTE, KeptActivations.INPUTS),
            new Batches(2, 1, totalSteps, true),
            new Updates(
                new AdamWSpec(learningRate, 0, 0.9, 0.999, 1e-8),
                new LearningRateSchedule(LearningRateSchedule.Type.CONSTANT, 0, totalSteps),
                1.0,
                TrainingSpec.OnNan.STOP),
            3,
            Evaluation.atBothEnds(0)));
  }

  /** All frozen weights on every rank's device. */
  static Weights whole(DType dtype) {
    return new Weights(dtype, FrozenLayers.Shard.NONE, 0);
  }

  Recipe lora(LoraSpec lora) {
    this.lora = lora;
    return this;
  }

  Recipe dropout(double dropout) {
    return lora(
        new LoraSpec(
            lora.r(),
            lora.alpha(),
            dropout,
            lora.rslora(),
            lora.targetModules(),
            lora.rankPattern(),
            lora.alphaPattern(),
            lora.variant()));
  }

  Recipe baseDtype(DType dtype) {
    weights = weights.as(dtype);
    return this;
  }

  Recipe shard(Shard shard) {
    weights = new Weights(weights.dtype(), shard, weights.offloadRatio(), weights.columns(), 0);
    return this;
  }

  Recipe offloadRatio(double offloadRatio) {
    weights = weights.withOffloadRatio(offloadRatio);
    return this;
  }

  Recipe computeDtype(DType dtype) {
    compute = new Compute(dtype, compute.matmul(), compute.activations());
    return this;
  }

  Recipe matmul(Matmul matmul) {
    compute = new Compute(compute.dtype(), matmul, compute.activations());
    return this;
  }

  Recipe activations(KeptActivations activations) {
    compute = new Compute(compute.dtype(), compute.matmul(), activations);
    return this;
  }

  Recipe batch(int microBatchSize, int gradientAccumulation) {
    batches =
        new Batches(microBatchSize, gradientAccumulation, batches.totalSteps(), batches.shuffle());
    return this;
  }

  /** Sequences as they are stored, epoch after epoch. */
  Recipe inOrder() {
    batches =
        new Batches(
            batches.microBatchSize(), batches.gradientAccumulation(), batches.totalSteps(), false);
    return this;
  }

  Recipe steps(long totalSteps) {
    batches =
        new Batches(
            batches.microBatchSize(),
            batches.gradientAccumulation(),
            totalSteps,
            batches.shuffle());
    return this;
  }

  Recipe onNan(TrainingSpec.OnNan onNan) {
    return updates(updates.optimizer(), updates.schedule(), onNan, updates.objective());
  }

  Recipe decay(AdamWSpec.Decay decay) {
    AdamWSpec start = updates.optimizer();
    AdamWSpec optimizer =
        new AdamWSpec(
            start.learningRate(),
            start.weightDecay(),
            start.beta1(),
            start.beta2(),
            start.eps(),
            start.loraPlusRatio(),
            decay);
    return updates(optimizer, updates.schedule(), updates.onNan(), updates.objective());
  }

  Recipe objective(Objective objective) {
    return updates(updates.optimizer(), updates.schedule(), updates.onNan(), objective);
  }

  private Recipe updates(
      AdamWSpec optimizer,
      LearningRateSchedule schedule,
      TrainingSpec.OnNan onNan,
      Objective objective) {
    updates = new Updates(optimizer, schedule, updates.maxGradNorm(), onNan, objective);
    return this;
  }

  /** From the first step on. */
  Recipe constantLearningRate(double learningRate) {
    AdamWSpec start = updates.optimizer();
    return updates(
        new AdamWSpec(learningRate, start.weightDecay(), start.beta1(), start.beta2(), start.eps()),
        new LearningRateSchedule(LearningRateSchedule.Type.CONSTANT, 0, batches.totalSteps()),
        updates.onNan(),
        updates.objective());
  }

  Recipe evaluation(Evaluation evaluation) {
    this.evaluation = evaluation;
    return this;
  }

  Recipe sampleTokens(int sampleTokens) {
    evaluation = Evaluation.atBothEnds(sampleTokens);
    return this;
  }

  TrainingSpec spec() {
    return new TrainingSpec(mode, lora, weights, compute, batches, updates, seed, evaluation);
  }
}
