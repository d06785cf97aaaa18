package dev.anneal.spark.preflight;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.training.model.config.LlamaConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class BuildCheckTest {
  private static final String SHAPE =
      """
      {"model_type": "llama", "vocab_size": 100, "hidden_size": %s, "intermediate_size": 64,
       "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
       "head_dim": %s, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
       "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": true}
      """;

  @Test
  void exactEdgesLeaveALayerBetweenThem() {
    int layers = shape(48, 24).numHiddenLayers();
    int most = (layers - 1) / 2;
    assertThatCode(
            () -> BuildCheck.checkShape(load("base_weights.exact_edges=" + most), shape(48, 24)))
        .doesNotThrowAnyException();
    assertThatThrownBy(
            () ->
                BuildCheck.checkShape(
                    load("base_weights.exact_edges=" + (most + 1)), shape(48, 24)))
        .hasMessageEndingWith("set it to %s at most.".formatted(most));
  }

  @Test
  void productsInFp8TakeMultiplesOfSixteen() {
    assertThatCode(() -> BuildCheck.checkShape(config("fp8"), shape(48, 24)))
        .doesNotThrowAnyException();
    assertThatCode(() -> BuildCheck.checkShape(config("bf16"), shape(40, 20)))
        .doesNotThrowAnyException();
    assertThatThrownBy(() -> BuildCheck.checkShape(config("fp8"), shape(40, 24)))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("hidden_size 40", "set compute.matmul=bf16");
    assertThatThrownBy(() -> BuildCheck.checkShape(config("fp8"), shape(48, 20)))
        .hasMessageContaining("heads of 40 and 40");
  }

  @Test
  void noMoreLayersThanThereAreAreComputedAgain() {
    assertThatCode(() -> BuildCheck.checkShape(checkpoint("1"), shape(48, 24)))
        .doesNotThrowAnyException();
    assertThatCode(() -> BuildCheck.checkShape(checkpoint("layer"), shape(48, 24)))
        .doesNotThrowAnyException();
    for (int layers : new int[] {2, Integer.MAX_VALUE}) {
      assertThatThrownBy(
              () -> BuildCheck.checkShape(checkpoint(Integer.toString(layers)), shape(48, 24)))
          .isInstanceOf(BadRequestException.class)
          .hasMessage(
              "activations.checkpoint is %s, but the model has 1 layers: set it to layer for all of them, or to fewer.",
              layers);
    }
  }

  /** Of one layer. */
  @Test
  void noMoreLayersThanThereAreWaitOnTheHost() {
    assertThatCode(() -> BuildCheck.checkShape(load("activations.host_layers=1"), shape(48, 24)))
        .doesNotThrowAnyException();
    assertThatThrownBy(
            () -> BuildCheck.checkShape(load("activations.host_layers=2"), shape(48, 24)))
        .isInstanceOf(BadRequestException.class)
        .hasMessage(
            "activations.host_layers is 2, but the model has 1 layers: set it to so many at most.");
    AnnealConfig both =
        ConfigLoader.load(
            null, List.of("activations.host_layers=1", "activations.checkpoint=1"), Path.of("/"));
    assertThatThrownBy(() -> BuildCheck.checkShape(both, shape(48, 24)))
        .hasMessage(
            "activations.checkpoint is 1 and activations.host_layers is 1, but the model has 1 layers: set activations.checkpoint=layer to compute all others again, or lower one of them.");
  }

  @Test
  void whatKeepsGraphsKeepsThemOnTheGpu() {
    String bf16 = "compute.matmul=bf16";
    String onHost = "activations.host_layers=4";
    assertThatCode(() -> BuildCheck.check(load(onHost))).doesNotThrowAnyException();
    assertRefused(
        "activations.host_layers is 4, which needs GPUs", bf16, onHost, "lora.dropout=0.1");
    assertRefused("but this run does not: set it to 0.", bf16, onHost, "lora.use_dora=true");
    assertRefused(
        "but training.mode is full: set it to 0.",
        bf16,
        onHost,
        "training.mode=full",
        "base_weights.dtype=bf16");
  }

  @Test
  void variantsThatDoNotGoTogetherAreRefused() {
    String onCpu = "cluster.gpus_per_node=0";
    assertRefused(
        "lora.init is pissa and lora.use_dora is true",
        onCpu,
        "lora.init=pissa",
        "lora.use_dora=true");
    assertRefused(
        "lora.init is pissa, but lora.init_from", onCpu, "lora.init=pissa", "lora.init_from=/a");
    assertRefused(
        "lora.init is pissa, but training.mode", onCpu, "lora.init=pissa", "training.mode=full");
    assertRefused(
        "lora.use_dora is true, but training.mode",
        onCpu,
        "lora.use_dora=true",
        "training.mode=full");
    // autograd keeps what the fused layers bring again
    assertRefused(
        "base_weights.shard is node",
        "compute.matmul=bf16",
        "lora.use_dora=true",
        "activations.checkpoint=none");
    assertThatThrownBy(() -> BuildCheck.check(load("lora.use_dora=true")))
        .hasMessageContaining("but lora.use_dora is true: set compute.matmul=bf16");
    assertThatCode(() -> BuildCheck.check(load("lora.init=pissa_niter_4")))
        .doesNotThrowAnyException();
  }

  private static void assertRefused(String message, String... sets) {
    List<String> all = new ArrayList<>(List.of(sets));
    if (all.contains("cluster.gpus_per_node=0")) {
      all.addAll(List.of("compute.matmul=bf16", "base_weights.dtype=bf16"));
    }
    AnnealConfig config = ConfigLoader.load(null, all, Path.of("/"));
    assertThatThrownBy(() -> BuildCheck.check(config))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining(message);
  }

  private static AnnealConfig checkpoint(String value) {
    return load("activations.checkpoint=" + value);
  }

  private static AnnealConfig config(String matmul) {
    return load("compute.matmul=" + matmul);
  }

  private static AnnealConfig load(String set) {
    return ConfigLoader.load(null, List.of(set), Path.of("/"));
  }

  private static LlamaConfig shape(int hiddenSize, int headDim) {
    return LlamaConfig.parse(SHAPE.formatted(hiddenSize, headDim), "the test");
  }
}
