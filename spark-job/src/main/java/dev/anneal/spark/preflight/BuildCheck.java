package dev.anneal.spark.preflight;

import dev.anneal.data.format.RowFormat;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.DataConfig;
import dev.anneal.spark.config.LoraConfig;
import dev.anneal.spark.train.Specs;
import dev.anneal.training.fused.HeadProducts;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.optim.LearningRateSchedule;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.trainer.TrainingSpec;
import dev.anneal.training.weights.FrozenLayers;
import dev.anneal.training.weights.FrozenLayers.Shard;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;

/** Whether the training core serves the configuration: what goes together and what does not. */
public final class BuildCheck {
  /** What an FP8 product of the tensor cores takes. */
  private static final int FP8_MULTIPLE = 16;

  private BuildCheck() {}

  /**
   * Checks what the configuration alone tells.
   *
   * @throws BadRequestException if settings do not go together
   */
  public static void check(AnnealConfig config) {
    checkMatmul(config);
    checkOffloading(config);
    checkHostLayers(config);
    checkExactEdges(config);
    checkFasterProducts(config);
    checkSamples(config);
    checkEvaluation(config);
    checkSchedule(config);
    checkStart(config);
    if (keepsGatheredLayers(config)) {
      throw new BadRequestException(
          "base_weights.shard is %s, but with activations.checkpoint=%s every rank keeps layers that it gathers: set activations.checkpoint=layer."
              .formatted(
                  name(config.baseWeights().shard()), config.activations().checkpoint().asText()));
    }
    if (config.training().mode() == TrainingSpec.Mode.FULL) {
      checkFullTuning(config);
    }
  }

  private static void checkStart(AnnealConfig config) {
    LoraConfig lora = config.lora();
    String init = lora.start().init();
    if (init.equals("default")) {
      return;
    }
    if (config.training().mode() == TrainingSpec.Mode.FULL) {
      throw new BadRequestException(
          "lora.init is %s, but training.mode is full: set one of them otherwise.".formatted(init));
    }
    if (lora.initFrom() != null) {
      throw new BadRequestException(
          "lora.init is %s, but lora.init_from names an adapter to start from: take one of them out."
              .formatted(init));
    }
    if (lora.useDora()) {
      throw new BadRequestException(
          "lora.init is %s and lora.use_dora is true, which do not go together: an adapter converted for the original model would need both. Set one of them otherwise."
              .formatted(init));
    }
  }

  private static void checkFullTuning(AnnealConfig config) {
    if (config.lora().initFrom() != null) {
      throw new BadRequestException(
          "lora.init_from names an adapter, but training.mode is full: set one of them otherwise.");
    }
    if (config.lora().useDora()) {
      throw new BadRequestException(
          "lora.use_dora is true, but training.mode is full: set one of them otherwise.");
    }
    if (config.baseWeights().dtype() == DType.FP8) {
      throw new BadRequestException(
          "base_weights.dtype is fp8, but with training.mode=full it is what the trained model is written in: set base_weights.dtype=bf16 or fp32.");
    }
  }

  /** Checks what depends on the model's shape. */
  public static void checkShape(AnnealConfig config, LlamaConfig shape) {
    AnnealConfig.Activations activations = config.activations();
    if (!activations.recomputesAll() && activations.recomputedLayers() > shape.numHiddenLayers()) {
      throw new BadRequestException(
          "activations.checkpoint is %s, but the model has %s layers: set it to layer for all of them, or to fewer."
              .formatted(activations.recomputedLayers(), shape.numHiddenLayers()));
    }
    checkHostLayers(activations, shape.numHiddenLayers());
    int edges = config.baseWeights().exactEdges();
    if (FrozenLayers.inner(shape, edges) < 1) {
      throw new BadRequestException(
          "base_weights.exact_edges is %s, at either end, but the model has %s layers: set it to %s at most."
              .formatted(edges, shape.numHiddenLayers(), (shape.numHiddenLayers() - 1) / 2));
    }
    int attention = shape.numAttentionHeads() * shape.headDim();
    int keysAndValues = 2 * shape.numKeyValueHeads() * shape.headDim();
    boolean odd =
        IntStream.of(shape.hiddenSize(), shape.intermediateSize(), attention, keysAndValues)
            .anyMatch(size -> size % FP8_MULTIPLE != 0);
    if (config.compute().matmul() == DType.FP8 && odd) {
      throw new BadRequestException(
          "compute.matmul is fp8, which takes multiples of %s, but the model has hidden_size %s, intermediate_size %s, and heads of %s and %s: set compute.matmul=bf16."
              .formatted(
                  FP8_MULTIPLE,
                  shape.hiddenSize(),
                  shape.intermediateSize(),
                  attention,
                  keysAndValues));
    }
    if (config.compute().head() != HeadProducts.EXACT && shape.vocabSize() % FP8_MULTIPLE != 0) {
      throw new BadRequestException(
          "compute.head is not exact, but FP8 takes multiples of %s and the model has a vocabulary of %s: set it to exact."
              .formatted(FP8_MULTIPLE, shape.vocabSize()));
    }
  }

  private static void checkHostLayers(AnnealConfig.Activations activations, int layers) {
    int onHost = activations.layersOnHost();
    if (onHost > layers) {
      throw new BadRequestException(
          "activations.host_layers is %s, but the model has %s layers: set it to so many at most."
              .formatted(onHost, layers));
    }
    if (!activations.recomputesAll() && onHost > layers - activations.recomputedLayers()) {
      throw new BadRequestException(
          "activations.checkpoint is %s and activations.host_layers is %s, but the model has %s layers: set activations.checkpoint=layer to compute all others again, or lower one of them."
              .formatted(activations.recomputedLayers(), onHost, layers));
    }
  }

  private static void checkMatmul(AnnealConfig config) {
    DType matmul = config.compute().matmul();
    DType dtype = config.compute().dtype();
    if (matmul == DType.FP8) {
      requireForFp8(onGpus(config), "cluster.gpus_per_node is 0", name(dtype));
      requireForFp8(dtype == DType.BF16, "compute.dtype is " + name(dtype), name(dtype));
      DType stored = config.baseWeights().dtype();
      requireForFp8(stored == DType.FP8, "base_weights.dtype is " + name(stored), name(dtype));
      requireForFp8(
          config.lora().dropout() == 0, "lora.dropout is " + config.lora().dropout(), name(dtype));
      requireForFp8(!config.lora().useDora(), "lora.use_dora is true", name(dtype));
      requireForFp8(
          config.training().mode() == TrainingSpec.Mode.LORA, "training.mode is full", name(dtype));
    } else if (matmul != dtype) {
      throw new BadRequestException(
          "compute.matmul is %s and compute.dtype is %s, but only fp8 may differ: set compute.matmul=%s."
              .formatted(name(matmul), name(dtype), name(dtype)));
    }
  }

  private static void requireForFp8(boolean holds, String otherwise, String dtype) {
    if (!holds) {
      throw new BadRequestException(
          "compute.matmul is fp8, which needs GPUs, compute.dtype=bf16, base_weights.dtype=fp8, lora.dropout=0, lora.use_dora=false and training.mode=lora, but %s: set compute.matmul=%s."
              .formatted(otherwise, dtype));
    }
  }

  private static void checkExactEdges(AnnealConfig config) {
    if (config.baseWeights().exactEdges() > 0) {
      String needs =
          "base_weights.exact_edges is %s, which needs base_weights.dtype=fp8 and weights that lie whole on each GPU, but %%s: set it to 0."
              .formatted(config.baseWeights().exactEdges());
      refuseIf(
          config.baseWeights().dtype() != DType.FP8,
          needs,
          "base_weights.dtype is " + name(config.baseWeights().dtype()));
      refuseIf(config.training().mode() != TrainingSpec.Mode.LORA, needs, "training.mode is full");
      refuseUnlessWhole(config, needs);
    }
  }

  private static void refuseUnlessWhole(AnnealConfig config, String needs) {
    refuseIf(Specs.shard(config) != Shard.NONE, needs, "they are split over GPUs");
    refuseIf(
        config.baseWeights().isAuto() || config.baseWeights().ratio() > 0,
        needs,
        "base_weights.offload_ratio is " + config.baseWeights().offloadRatio().asText());
  }

  private static void checkFasterProducts(AnnealConfig config) {
    if (config.baseWeights().bothLayouts()) {
      String needs =
          "base_weights.both_layouts is true, which needs compute.matmul=fp8 and weights that lie whole on each GPU, but %s: set it to false.";
      refuseIf(
          config.compute().matmul() != DType.FP8,
          needs,
          "compute.matmul is " + name(config.compute().matmul()));
      refuseUnlessWhole(config, needs);
    }
    if (config.compute().head() != HeadProducts.EXACT) {
      String needs =
          "compute.head is not exact, which needs GPUs that train adapters in compute.dtype=bf16 without dropout or DoRA, and a head that lies whole on each, but %s: set it to exact.";
      refuseIf(!isFused(config), needs, "this run does not");
      refuseIf(config.training().mode() != TrainingSpec.Mode.LORA, needs, "training.mode is full");
      refuseIf(Specs.shard(config) != Shard.NONE, needs, "it is split over GPUs");
    }
  }

  private static void refuseIf(boolean holds, String needs, String otherwise) {
    if (holds) {
      throw new BadRequestException(needs.formatted(otherwise));
    }
  }

  private static void checkOffloading(AnnealConfig config) {
    if (config.baseWeights().ratio() > 0 && !onGpus(config)) {
      throw new BadRequestException(
          "base_weights.offload_ratio is %s, but with cluster.gpus_per_node=0 all weights are in host memory: set it to 0."
              .formatted(config.baseWeights().ratio()));
    }
    if (!onGpus(config)
        && (config.baseWeights().isAuto() || config.activations().checkpointIsAuto())) {
      throw new BadRequestException(
          "%s is auto, which looks at the memory of GPUs, but cluster.gpus_per_node is 0: set it to %s."
              .formatted(
                  config.baseWeights().isAuto()
                      ? "base_weights.offload_ratio"
                      : "activations.checkpoint",
                  config.baseWeights().isAuto() ? "0" : "layer or none"));
    }
    if (config.activations().offload()) {
      if (!onGpus(config)) {
        throw new BadRequestException(
            "activations.offload is true, but with cluster.gpus_per_node=0 all activations are in host memory: set it to false.");
      }
      if (config.activations().recomputedLayers() == 0) {
        throw new BadRequestException(
            "activations.offload is true, but it moves the inputs of layers that are recomputed: set activations.checkpoint=layer.");
      }
    }
  }

  private static void checkHostLayers(AnnealConfig config) {
    int onHost = config.activations().layersOnHost();
    if (onHost > 0) {
      String needs =
          "activations.host_layers is %s, which needs GPUs that train adapters in compute.dtype=bf16 without dropout or DoRA, but %%s: set it to 0."
              .formatted(onHost);
      refuseIf(
          !onGpus(config),
          needs,
          "with cluster.gpus_per_node=0 all activations are in host memory");
      refuseIf(config.training().mode() != TrainingSpec.Mode.LORA, needs, "training.mode is full");
      refuseIf(!isFused(config), needs, "this run does not");
    }
  }

  /** Where a layer's graph keeps its weights until the backward; fused layers bring them again. */
  private static boolean keepsGatheredLayers(AnnealConfig config) {
    return Specs.shard(config) != Shard.NONE
        && !isFused(config)
        && config.training().mode() == TrainingSpec.Mode.LORA
        && !config.activations().recomputesAll();
  }

  static boolean isFused(AnnealConfig config) {
    return onGpus(config)
        && config.compute().dtype() == DType.BF16
        && !config.lora().useDora()
        && config.lora().dropout() == 0;
  }

  private static void checkSchedule(AnnealConfig config) {
    AnnealConfig.Schedule schedule = config.schedule();
    LearningRateSchedule.Type type = schedule.type();
    boolean decays = type == LearningRateSchedule.Type.WARMUP_STABLE_DECAY;
    requireRead(
        schedule.minLrRatio() == 0
            || decays
            || type == LearningRateSchedule.Type.COSINE_WITH_MIN_LR,
        config,
        "schedule.min_lr_ratio");
    requireRead(
        schedule.cycles() == 1 || type == LearningRateSchedule.Type.COSINE_WITH_RESTARTS,
        config,
        "schedule.cycles");
    requireRead(schedule.decaySteps() == null || decays, config, "schedule.decay_steps");
    if (config.training().epochs() == null) {
      checkSchedule(config, config.training().maxSteps());
    }
  }

  private static void requireRead(boolean holds, AnnealConfig config, String key) {
    if (!holds) {
      throw new BadRequestException(
          "%s is set, but schedule.type %s does not look at it: take it out, or choose another type."
              .formatted(key, name(config.schedule().type())));
    }
  }

  /**
   * Checks that the stretches of a schedule have room.
   *
   * @param steps optimizer steps of the run
   * @throws BadRequestException if not
   */
  static void checkSchedule(AnnealConfig config, long steps) {
    LearningRateSchedule schedule = Specs.schedule(config.schedule(), steps);
    long decay = schedule.options().decaySteps();
    if (schedule.type() == LearningRateSchedule.Type.WARMUP_STABLE_DECAY
        && decay > steps - schedule.warmupSteps()) {
      throw new BadRequestException(
          "The run has %s steps, but schedule.type warmup_stable_decay warms up over %s and goes down over %s: lower schedule.warmup_steps or schedule.decay_steps (or their ratios)."
              .formatted(steps, schedule.warmupSteps(), decay));
    }
  }

  private static void checkEvaluation(AnnealConfig config) {
    AnnealConfig.Evaluation evaluation = config.evaluation();
    DataConfig.EvalRows rows = config.data().evalRows();
    boolean described =
        rows.evalFormat() != null || rows.evalColumns() != null || rows.evalLimit() != null;
    if (!rows.areGiven() && described) {
      throw new BadRequestException(
          "data.eval_format, data.eval_columns and data.eval_limit describe data.eval_source, which is not set: set it, or take them out.");
    }
    if (rows.areGiven() && config.data().rows().evalRows() > 0) {
      throw new BadRequestException(
          "data.eval_rows holds rows out and data.eval_source names others to evaluate on: set one of them.");
    }
    Optional<String> judging = judging(config);
    if (judging.isPresent() && evaluation.everySteps() == 0) {
      throw new BadRequestException(
          "%s, but evaluation.every_steps is 0, so that nothing is measured on the way: set evaluation.every_steps."
              .formatted(judging.get()));
    }
    if (evaluation.keep() == TrainingSpec.Keep.BEST && config.checkpoint().everySteps() == 0) {
      throw new BadRequestException(
          "evaluation.keep is best, but the best adapter is kept as a checkpoint and checkpoint.every_steps is 0: set checkpoint.every_steps.");
    }
  }

  /** What of the configuration needs rows to evaluate on, in words. */
  private static Optional<String> judging(AnnealConfig config) {
    AnnealConfig.Evaluation evaluation = config.evaluation();
    if (evaluation.keep() == TrainingSpec.Keep.BEST) {
      return Optional.of("evaluation.keep is best");
    }
    return evaluation.patience() > 0
        ? Optional.of("evaluation.patience is " + evaluation.patience())
        : Optional.empty();
  }

  /**
   * Checks, where there are no rows to evaluate on, that nothing needs them.
   *
   * @throws BadRequestException if something does
   */
  static void requireUnjudged(AnnealConfig config) {
    long everySteps = config.evaluation().everySteps();
    Optional<String> what =
        judging(config)
            .or(
                () ->
                    everySteps > 0
                        ? Optional.of("evaluation.every_steps is " + everySteps)
                        : Optional.empty());
    if (what.isPresent()) {
      throw new BadRequestException(
          "%s, but there are no rows to measure the loss on: hold some out with data.eval_rows, or name others with data.eval_source."
              .formatted(what.get()));
    }
  }

  /** Samples continue what stands before the first learned token. */
  private static void checkSamples(AnnealConfig config) {
    String evalFormat = config.data().evalRows().evalFormat();
    String format = evalFormat == null ? config.data().rows().format() : evalFormat;
    boolean text = RowFormat.of(format) == RowFormat.TEXT;
    if (config.evaluation().sampleRows() > 0
        && (text || config.data().sequences().trainOnPrompt())) {
      throw new BadRequestException(
          "evaluation.sample_rows is %s, but with data.%s every token is learned and none is a prompt to continue: set evaluation.sample_rows=0."
              .formatted(
                  config.evaluation().sampleRows(), text ? "format=text" : "train_on_prompt=true"));
    }
  }

  private static boolean onGpus(AnnealConfig config) {
    return config.cluster().gpusPerNode() > 0;
  }

  private static String name(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
