package dev.anneal.training.trainer;

import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.Llama.Activations;
import dev.anneal.training.optim.AdamWSpec;
import dev.anneal.training.optim.LearningRateSchedule;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.weights.FrozenWeights.Shard;

/** A training recipe to vary. */
final class Recipe {
  private final TrainingSpec start;
  private LoraSpec lora;
  private DType baseDtype;
  private DType computeDtype;
  private Shard shard;
  private double offloadRatio;
  private Matmul matmul;
  private Activations activations;
  private int microBatchSize;
  private int gradientAccumulation;
  private long totalSteps;
  private TrainingSpec.OnNan onNan;
  private AdamWSpec optimizer;
  private LearningRateSchedule schedule;
  private int sampleTokens;

  private Recipe(TrainingSpec start) {
    this.start = start;
    this.lora = start.lora();
    this.baseDtype = start.baseDtype();
    this.computeDtype = start.computeDtype();
    this.shard = start.shard();
    this.offloadRatio = start.offloadRatio();
    this.matmul = start.matmul();
    this.activations = start.activations();
    this.microBatchSize = start.microBatchSize();
    this.gradientAccumulation = start.gradientAccumulation();
    this.totalSteps = start.totalSteps();
    this.onNan = start.onNan();
    this.optimizer = start.optimizer();
    this.schedule = start.schedule();
    this.sampleTokens = start.sampleTokens();
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
            DType.FP32,
            Shard.NONE,
            0,
            DType.FP32,
            Matmul.COMPUTE,
            Activations.CHECKPOINT,
            2,
            1,
            totalSteps,
            true,
            1.0,
            TrainingSpec.OnNan.STOP,
            3,
            new AdamWSpec(learningRate, 0, 0.9, 0.999, 1e-8),
            new LearningRateSchedule(LearningRateSchedule.Type.CONSTANT, 0, totalSteps),
            0));
  }

  Recipe lora(LoraSpec lora) {
    this.lora = lora;
    return this;
  }

  Recipe dropout(double dropout) {
    return lora(new LoraSpec(lora.r(), lora.alpha(), dropout, lora.rslora(), lora.targetModules()));
  }

  Recipe baseDtype(DType baseDtype) {
    this.baseDtype = baseDtype;
    return this;
  }

  Recipe computeDtype(DType computeDtype) {
    this.computeDtype = computeDtype;
    return this;
  }

  Recipe shard(Shard shard) {
    this.shard = shard;
    return this;
  }

  Recipe offloadRatio(double offloadRatio) {
    this.offloadRatio = offloadRatio;
    return this;
  }

  Recipe matmul(Matmul matmul) {
    this.matmul = matmul;
    return this;
  }

  Recipe activations(Activations activations) {
    this.activations = activations;
    return this;
  }

  Recipe batch(int microBatchSize, int gradientAccumulation) {
    this.microBatchSize = microBatchSize;
    this.gradientAccumulation = gradientAccumulation;
    return this;
  }

  Recipe steps(long totalSteps) {
    this.totalSteps = totalSteps;
    return this;
  }

  Recipe onNan(TrainingSpec.OnNan onNan) {
    this.onNan = onNan;
    return this;
  }

  /** From the first step on. */
  Recipe constantLearningRate(double learningRate) {
    this.optimizer =
        new AdamWSpec(
            learningRate,
            optimizer.weightDecay(),
            optimizer.beta1(),
            optimizer.beta2(),
            optimizer.eps());
    this.schedule = new LearningRateSchedule(LearningRateSchedule.Type.CONSTANT, 0, totalSteps);
    return this;
  }

  Recipe sampleTokens(int sampleTokens) {
    this.sampleTokens = sampleTokens;
    return this;
  }

  TrainingSpec spec() {
    return new TrainingSpec(
        start.mode(),
        lora,
        baseDtype,
        shard,
        offloadRatio,
        computeDtype,
        matmul,
        activations,
        microBatchSize,
        gradientAccumulation,
        totalSteps,
        start.shuffle(),
        start.maxGradNorm(),
        onNan,
        start.seed(),
        optimizer,
        schedule,
        sampleTokens);
  }
}
