package dev.anneal.spark.preflight;

import dev.anneal.data.format.RowFormat;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.AnnealConfig.Precision;
import dev.anneal.training.trainer.TrainingSpec;

/** Whether the training core of this build, which computes on CPUs, serves the configuration. */
final class BuildCheck {
  private BuildCheck() {}

  static void check(AnnealConfig config) {
    if (config.cluster().gpusPerNode() > 0) {
      throw needsGpu("cluster.gpus_per_node", config.cluster().gpusPerNode(), "0");
    }
    if (config.baseWeights().dtype() == Precision.FP8) {
      throw needsGpu("base_weights.dtype", "fp8", "bf16 or fp32");
    }
    if (config.baseWeights().offloadRatio() > 0) {
      throw needsGpu("base_weights.offload_ratio", config.baseWeights().offloadRatio(), "0");
    }
    if (config.activations().offload()) {
      throw needsGpu("activations.offload", true, "false");
    }
    if (config.compute().matmul() == Precision.FP8) {
      throw needsGpu("compute.matmul", "fp8", name(config.compute().dtype()));
    }
    if (config.compute().matmul() != config.compute().dtype()) {
      throw new BadRequestException(
          "compute.matmul is %s and compute.dtype is %s, but on CPUs both must be the same: set compute.matmul=%s."
              .formatted(
                  name(config.compute().matmul()),
                  name(config.compute().dtype()),
                  name(config.compute().dtype())));
    }
    checkSamples(config);
    if (config.baseWeights().shard() == AnnealConfig.Shard.WORLD
        && config.activations().checkpoint() == AnnealConfig.Checkpointing.NONE) {
      throw new BadRequestException(
          "base_weights.shard is world, but with activations.checkpoint=none every rank keeps the layers that it gathers: set activations.checkpoint=layer.");
    }
    if (config.training().mode() == TrainingSpec.Mode.FULL && config.lora().initFrom() != null) {
      throw new BadRequestException(
          "lora.init_from names an adapter, but training.mode is full: set one of them otherwise.");
    }
  }

  /** Samples continue what stands before the first learned token. */
  private static void checkSamples(AnnealConfig config) {
    boolean text = RowFormat.of(config.data().format()) == RowFormat.TEXT;
    if (config.evaluation().sampleRows() > 0 && (text || config.data().trainOnPrompt())) {
      throw new BadRequestException(
          "evaluation.sample_rows is %d, but with data.%s every token is learned and none is a prompt to continue: set evaluation.sample_rows=0."
              .formatted(
                  config.evaluation().sampleRows(), text ? "format=text" : "train_on_prompt=true"));
    }
  }

  private static BadRequestException needsGpu(String key, Object value, String remedy) {
    return new BadRequestException(
        "%s is %s, which needs the GPU core that this build lacks: set it to %s."
            .formatted(key, value, remedy));
  }

  private static String name(Precision precision) {
    return precision.name().toLowerCase(java.util.Locale.ROOT);
  }
}
