package dev.anneal.spark.train;

import dev.anneal.data.format.RowFormat;
import dev.anneal.data.prep.LongRows;
import dev.anneal.data.prep.PrepSpec;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.DataConfig;
import dev.anneal.spark.config.LoraConfig;
import dev.anneal.spark.config.TrainingConfig;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.training.fused.FusedLlama.Columns;
import dev.anneal.training.generate.GenerationSpec;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.lora.LoraVariant;
import dev.anneal.training.lora.TargetModules;
import dev.anneal.training.model.Objective;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.optim.AdamWSpec;
import dev.anneal.training.optim.LearningRateSchedule;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.trainer.GenerationRun;
import dev.anneal.training.trainer.TrainingSpec;
import dev.anneal.training.weights.FrozenLayers.Shard;
import java.util.OptionalInt;
import java.util.TreeMap;

/** The configuration in the words of the two modules that carry it out. */
public final class Specs {
  private Specs() {}

  /**
   * What the preparation is asked for.
   *
   * @param tokenizer folder of the tokenizer; {@code null} for rows that come tokenized
   */
  public static PrepSpec prep(AnnealConfig config, String tokenizer) {
    return prep(config, tokenizer, Integer.MAX_VALUE);
  }

  /**
   * Same as {@link #prep(AnnealConfig, String)}, for a model.
   *
   * @param vocabSize tokens that the model embeds
   */
  public static PrepSpec prep(AnnealConfig config, String tokenizer, int vocabSize) {
    return new PrepSpec(
        rows(config.data().rows()),
        sequences(config.data().sequences()),
        config.training().seed(),
        tokenizer,
        config.output().path(),
        vocabSize);
  }

  /**
   * What the preparation of the rows to evaluate on is asked for: as {@link #prep(AnnealConfig,
   * String, int)}, but one row a sequence, in the order of the files; {@code null} where they are
   * held out from the others.
   */
  public static PrepSpec evalPrep(AnnealConfig config, String tokenizer, int vocabSize) {
    DataConfig.EvalRows given = config.data().evalRows();
    if (!given.areGiven()) {
      return null;
    }
    DataConfig.Rows rows = config.data().rows();
    DataConfig.Sequences sequences = config.data().sequences();
    return new PrepSpec(
        new PrepSpec.Rows(
            given.evalSource(),
            RowFormat.of(given.evalFormat() == null ? rows.format() : given.evalFormat()),
            new TreeMap<>(given.evalColumns() == null ? rows.columns() : given.evalColumns()),
            rows.template(),
            given.evalLimit(),
            0,
            rows.maxBadRows()),
        new PrepSpec.Sequences(
            sequences.maxLength(), longRows(sequences), false, false, sequences.trainOnPrompt()),
        config.training().seed(),
        tokenizer,
        config.output().path(),
        vocabSize,
        RunFolder.EVAL_DATASET);
  }

  private static PrepSpec.Rows rows(DataConfig.Rows rows) {
    return new PrepSpec.Rows(
        rows.source(),
        RowFormat.of(rows.format()),
        new TreeMap<>(rows.columns()),
        rows.template(),
        rows.limit(),
        rows.evalRows(),
        rows.maxBadRows());
  }

  private static PrepSpec.Sequences sequences(DataConfig.Sequences sequences) {
    return new PrepSpec.Sequences(
        sequences.maxLength(),
        longRows(sequences),
        sequences.packing(),
        sequences.shuffle(),
        sequences.trainOnPrompt());
  }

  private static LongRows longRows(DataConfig.Sequences sequences) {
    if (sequences.splitLong()) {
      return LongRows.SPLIT;
    }
    return switch (sequences.tooLong()) {
      case TRUNCATE -> LongRows.TRUNCATE;
      case DROP -> LongRows.DROP;
    };
  }

  /** The adapters that the configuration describes. */
  public static LoraSpec lora(AnnealConfig config) {
    LoraConfig lora = config.lora();
    return new LoraSpec(
        lora.r(),
        lora.alpha(),
        lora.dropout(),
        lora.useRslora(),
        TargetModules.of(lora.modules().names()),
        lora.modules().rankPattern(),
        lora.modules().alphaPattern(),
        variant(lora));
  }

  private static LoraVariant variant(LoraConfig lora) {
    if (lora.useDora()) {
      return LoraVariant.DORA;
    }
    OptionalInt pissa = LoraVariant.Pissa.iterations(lora.start().init());
    return pissa.isPresent() ? new LoraVariant.Pissa(pissa.getAsInt()) : LoraVariant.PLAIN;
  }

  /**
   * What a model is asked for, held as training would hold it.
   *
   * @param batchSize most prompts side by side
   */
  public static GenerationRun.Spec generation(
      AnnealConfig config, int batchSize, GenerationSpec generation) {
    return new GenerationRun.Spec(
        weights(config), config.compute().dtype(), matmul(config), batchSize, generation);
  }

  private static TrainingSpec.Weights weights(AnnealConfig config) {
    return new TrainingSpec.Weights(
        config.baseWeights().dtype(),
        shard(config),
        config.baseWeights().ratio(),
        config.baseWeights().bothLayouts() ? Columns.KEPT : Columns.MADE,
        config.baseWeights().exactEdges());
  }

  private static Matmul matmul(AnnealConfig config) {
    return config.compute().matmul() == DType.FP8 ? Matmul.FP8 : Matmul.COMPUTE;
  }

  /**
   * What training is asked for.
   *
   * @param sequences of the data set
   */
  public static TrainingSpec training(AnnealConfig config, long sequences) {
    TrainingConfig training = config.training();
    long steps = Batches.steps(config, sequences);
    return new TrainingSpec(
        training.mode(),
        training.mode() == TrainingSpec.Mode.LORA ? lora(config) : null,
        weights(config),
        new TrainingSpec.Compute(
            config.compute().dtype(),
            matmul(config),
            activations(config.activations()),
            config.compute().attention(),
            config.compute().head()),
        new TrainingSpec.Batches(
            training.microBatchSize(),
            training.gradientAccumulation(),
            steps,
            config.data().sequences().shuffle()),
        new TrainingSpec.Updates(
            optimizer(config),
            schedule(config.schedule(), steps),
            training.gradient().maxGradNorm(),
            training.gradient().onNan(),
            objective(training.objective())),
        training.seed(),
        evaluation(config.evaluation()));
  }

  private static Objective objective(TrainingConfig.Objective objective) {
    return new Objective(
        objective.loss(), objective.labelSmoothing(), objective.neftuneNoiseAlpha());
  }

  private static TrainingSpec.Evaluation evaluation(AnnealConfig.Evaluation evaluation) {
    return new TrainingSpec.Evaluation(
        evaluation.sampleTokens(),
        evaluation.everySteps(),
        evaluation.keep(),
        evaluation.patience(),
        evaluation.minDelta());
  }

  /** Which ranks split the frozen weights; with one rank a node, a node's share is everything. */
  public static Shard shard(AnnealConfig config) {
    Shard asked = config.baseWeights().shard();
    return asked == Shard.NODE && config.cluster().gpusPerNode() <= 1 ? Shard.NONE : asked;
  }

  private static KeptActivations activations(AnnealConfig.Activations activations) {
    KeptActivations all =
        activations.offload() ? KeptActivations.INPUTS_ON_HOST : KeptActivations.INPUTS;
    return all.first(activations.recomputedLayers()).onHost(activations.layersOnHost());
  }

  private static AdamWSpec optimizer(AnnealConfig config) {
    AnnealConfig.Optimizer optimizer = config.optimizer();
    return new AdamWSpec(
        optimizer.learningRate(),
        optimizer.weightDecay(),
        optimizer.betas().get(0),
        optimizer.betas().get(1),
        optimizer.eps(),
        config.lora().loraplusLrRatio(),
        optimizer.decayNorms() ? AdamWSpec.Decay.ALL : AdamWSpec.Decay.MATRICES);
  }

  /** The learning rate over {@code steps} steps. */
  public static LearningRateSchedule schedule(AnnealConfig.Schedule schedule, long steps) {
    LearningRateSchedule.Decay decay =
        switch (schedule.decayType()) {
          case "linear" -> LearningRateSchedule.Decay.LINEAR;
          case "cosine" -> LearningRateSchedule.Decay.COSINE;
          case "1-sqrt" -> LearningRateSchedule.Decay.ONE_MINUS_SQRT;
          default -> throw new IllegalArgumentException(schedule.decayType());
        };
    return new LearningRateSchedule(
        schedule.type(),
        stepsOf(schedule.warmupSteps(), schedule.warmupRatio(), steps),
        steps,
        new LearningRateSchedule.Options(
            schedule.minLrRatio(),
            schedule.cycles(),
            stepsOf(schedule.decaySteps(), schedule.decayRatio(), steps),
            decay));
  }

  private static long stepsOf(Long number, double ratio, long steps) {
    return number == null ? (long) Math.ceil(ratio * steps) : number;
  }
}
