package dev.anneal.spark.preflight;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.training.cuda.Gpu;
import dev.anneal.training.model.config.LlamaConfig;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class GpuCheckTest {
  private static final LlamaConfig SHAPE = LlamaConfig.named("llama3.1-8b");

  /** 18 bytes of each of 8.03 billion weights on one GPU, 15 on two. */
  @Test
  void allWeightsMustFitTheSmallestGpuThatTrains() {
    AnnealConfig one = config(1, 1);
    assertThatCode(() -> GpuCheck.requireFits(one, SHAPE, List.of(gpu(0, 150), gpu(1, 80))))
        .doesNotThrowAnyException();
    assertThatThrownBy(() -> GpuCheck.requireFits(one, SHAPE, List.of(gpu(0, 140))))
        .isInstanceOf(BadRequestException.class)
        .hasMessageStartingWith(
            "training.mode is full, and 8.0 billion weights with their gradient and AdamW's moments take 144.5 GB on one GPU, but a GPU has 140.0 GB: take 2 GPUs or more,");
    assertThatCode(
            () -> GpuCheck.requireFits(config(2, 1), SHAPE, List.of(gpu(0, 140), gpu(1, 140))))
        .doesNotThrowAnyException();
    assertThatThrownBy(
            () -> GpuCheck.requireFits(config(1, 2), SHAPE, List.of(gpu(0, 140), gpu(1, 80))))
        .hasMessageContaining("on each of 2 GPUs, but a GPU has 80.0 GB");
  }

  private static AnnealConfig config(int nodes, int gpus) {
    return ConfigLoader.load(
        null,
        List.of(
            "training.mode=full",
            "compute.matmul=bf16",
            "base_weights.dtype=bf16",
            "cluster.nodes=" + nodes,
            "cluster.gpus_per_node=" + gpus),
        Path.of("/"));
  }

  private static Gpu gpu(int index, long gigabytes) {
    return new Gpu(index, "a GPU", gigabytes * 1_000_000_000L, "580");
  }
}
