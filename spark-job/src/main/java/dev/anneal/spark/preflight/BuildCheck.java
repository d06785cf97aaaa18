package dev.anneal.spark.preflight;

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
    if (config.training().mode() == TrainingSpec.Mode.FULL && config.lora().initFrom() != null) {
      throw new BadRequestException(
          "lora.init_from names an adapter, but training.mode is full: set one of them otherwise.");
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
