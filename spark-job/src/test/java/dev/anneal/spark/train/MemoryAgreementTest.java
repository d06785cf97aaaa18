package dev.anneal.spark.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.trainer.MemoryChoice;
import dev.anneal.training.trainer.MemoryPlan.Machine;
import dev.anneal.training.trainer.RowStatistics;
import dev.anneal.training.trainer.SpeedEstimate.GpuKind;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class MemoryAgreementTest {
  private static final long GB = 1_000_000_000;
  private static final RowStatistics ROWS =
      new RowStatistics(new TreeMap<>(Map.of(128, 50_000L)), 0, true, 1000, 0, 0);

  @Test
  void whatIsGivenStays() {
    AnnealConfig config = config("cluster.gpus_per_node=8");
    MemoryAgreement agreement = agree(config, "llama3.1-8b", 80 * GB, 2000 * GB);
    assertThat(agreement.config()).isEqualTo(config);
    assertThat(agreement.choice()).isEmpty();
    assertThat(agreement.sentences()).isEmpty();
  }

  @Test
  void whatIsAutoIsDecidedAndSaid() {
    AnnealConfig config = config("base_weights.offload_ratio=auto", "activations.checkpoint=auto");
    MemoryAgreement agreement = agree(config, "llama3.1-405b", 80 * GB, 2000 * GB);
    MemoryChoice choice = agreement.choice().orElseThrow();
    assertThat(choice.offloadRatio()).isBetween(0.1, 0.9);
    assertThat(agreement.config().open()).isEmpty();
    assertThat(agreement.config().baseWeights().ratio()).isEqualTo(choice.offloadRatio());
    assertThat(agreement.config().resolved().at("/base_weights/offload_ratio").isNumber()).isTrue();
    assertThat(agreement.sentences()).hasSize(1);
    assertThat(agreement.sentences().get(0))
        .matches(
            "By the memory that is free, 80\\.0 GB of a GPU and 2000\\.0 GB of a host: base_weights\\.offload_ratio=0\\.\\d\\d, activations\\.checkpoint=(layer|\\d+)");
  }

  @Test
  void moreMemoryKeepsMoreLayers() {
    AnnealConfig config = config("cluster.gpus_per_node=1", "activations.checkpoint=auto");
    String small = checkpoint(agree(config, "llama3.1-70b", 110 * GB, 500 * GB));
    String large = checkpoint(agree(config, "llama3.1-70b", 141 * GB, 500 * GB));
    assertThat(Integer.parseInt(large)).isBetween(1, Integer.parseInt(small) - 1);
    assertThat(checkpoint(agree(config, "llama3.1-8b", 141 * GB, 500 * GB))).isEqualTo("none");
  }

  /** Each node decides for itself of what all have told, in whatever order it came. */
  @Test
  void allNodesTakeTheSameLayersToTheHost() {
    AnnealConfig config =
        config(
            "cluster.gpus_per_node=1",
            "cluster.nodes=2",
            "base_weights.shard=none",
            "data.max_length=8192",
            "training.micro_batch_size=1",
            "activations.checkpoint=auto",
            "activations.host_layers=auto");
    NodeMemory first = node("one", 150 * GB, 128 * GB);
    NodeMemory second = node("two", 149 * GB, 90 * GB);
    LlamaConfig shape = LlamaConfig.named("llama3.1-70b");
    MemoryAgreement one =
        MemoryAgreement.of(config, shape, ROWS, NodeMemory.agree(List.of(first, second)));
    MemoryAgreement two =
        MemoryAgreement.of(config, shape, ROWS, NodeMemory.agree(List.of(second, first)));
    assertThat(two).isEqualTo(one);
    MemoryChoice choice = one.choice().orElseThrow();
    assertThat(choice.hostLayers()).isBetween(10, 60);
    assertThat(one.config().open()).isEmpty();
    assertThat(one.config().activations().layersOnHost()).isEqualTo(choice.hostLayers());
    assertThat(one.config().resolved().at("/activations/host_layers").intValue())
        .isEqualTo(choice.hostLayers());
    assertThat(one.sentences().get(0))
        .matches(
            "By the memory that is free, 149\\.0 GB of a GPU and 90\\.0 GB of a host: activations\\.checkpoint=(none|\\d+), activations\\.host_layers=\\d+");
    // both on one host share its memory and its copies
    NodeMemory beside = node("one", 150 * GB, 128 * GB);
    MemoryAgreement shared =
        MemoryAgreement.of(config, shape, ROWS, NodeMemory.agree(List.of(first, beside)));
    assertThat(shared.choice().orElseThrow().hostLayers()).isLessThan(choice.hostLayers());
  }

  @Test
  void whyNoLayerWaitsOnTheHostIsSaid() {
    AnnealConfig config = config("cluster.gpus_per_node=1", "activations.host_layers=auto");
    MemoryAgreement agreement =
        MemoryAgreement.of(
            config,
            LlamaConfig.named("llama3.1-8b"),
            ROWS,
            new NodeMemory.Agreed(new Machine(80 * GB, 500 * GB, 1), 80 * GB, 1, Optional.empty()));
    assertThat(agreement.config().activations().layersOnHost()).isZero();
    assertThat(agreement.config().open()).isEmpty();
    assertThat(agreement.sentences())
        .containsExactly(
            "By the memory that is free, 80.0 GB of a GPU and 500.0 GB of a host: activations.host_layers=0 (the speed of these GPUs is not known)");
    AnnealConfig onCpus =
        config(
            "cluster.gpus_per_node=0",
            "compute.dtype=fp32",
            "compute.matmul=fp32",
            "base_weights.dtype=bf16",
            "activations.host_layers=auto");
    NodeMemory node = new NodeMemory("one", "c", 1, 64 * GB, 64 * GB, 1, 1, "");
    MemoryAgreement none =
        MemoryAgreement.of(
            onCpus, LlamaConfig.named("llama3.1-8b"), ROWS, NodeMemory.agree(List.of(node)));
    assertThat(none.config().open()).isEmpty();
    assertThat(none.choice().orElseThrow().hostLayers()).isZero();
    assertThat(none.sentences())
        .containsExactly(
            "On CPUs: activations.host_layers=0 (all layers are in the host's memory)");
  }

  @Test
  void whatCannotFitIsRefused() {
    AnnealConfig config = config("cluster.gpus_per_node=2");
    assertThatThrownBy(() -> agree(config, "llama3.1-405b", 80 * GB, 2000 * GB))
        .isInstanceOf(BadRequestException.class)
        .hasMessageMatching(
            "The run needs at least 2\\d\\d\\.\\d GB of a GPU that has 80\\.0 GB: set base_weights\\.offload_ratio=0\\.\\d\\d.*\\.");
    AnnealConfig offloaded = config("cluster.gpus_per_node=2", "base_weights.offload_ratio=1");
    // what is free is more at another time
    assertThatThrownBy(() -> agree(offloaded, "llama3.1-405b", 80 * GB, 64 * GB))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("of a host's memory, page-locked for its 2 GPUs (frozen layers 4")
        .hasMessageContaining(" and 64.0 GB are free: ");
  }

  @Test
  void whatMayNotFitIsSaid() {
    AnnealConfig config = config("cluster.gpus_per_node=1", "activations.checkpoint=none");
    MemoryAgreement agreement =
        MemoryAgreement.of(
            config,
            LlamaConfig.named("llama3.1-8b"),
            RowStatistics.unpacked(),
            agreed(new Machine(26 * GB, 500 * GB, 1), 80 * GB));
    assertThat(agreement.sentences()).hasSize(1);
    assertThat(agreement.sentences().get(0))
        .startsWith("Note: The run may take up to ")
        .contains("of a GPU, and 26.0 GB are free");
  }

  @Test
  void aRunOnCpusMustFitItsHost() {
    AnnealConfig config =
        config(
            "cluster.gpus_per_node=0",
            "cluster.nodes=2",
            "compute.dtype=fp32",
            "compute.matmul=fp32",
            "base_weights.dtype=fp32");
    LlamaConfig shape = LlamaConfig.named("llama3.1-8b");
    NodeMemory node =
        new NodeMemory("one", "c", 1, 64 * GB, 32 * GB, Long.MAX_VALUE, Long.MAX_VALUE, "");
    NodeMemory.Agreed memory = NodeMemory.agree(List.of(node, node));
    assertThatThrownBy(() -> MemoryAgreement.of(config, shape, ROWS, memory))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("of a host's memory for its rank (frozen layers 27.9 GB, ")
        .hasMessageContaining(" and 16.0 GB are free: ");
  }

  private static String checkpoint(MemoryAgreement agreement) {
    return agreement.config().activations().checkpoint().asText();
  }

  private static MemoryAgreement agree(AnnealConfig config, String shape, long gpu, long host) {
    int gpus = config.cluster().gpusPerNode();
    return MemoryAgreement.of(
        config, LlamaConfig.named(shape), ROWS, agreed(new Machine(gpu, host, gpus), gpu));
  }

  private static NodeMemory node(String host, long gpu, long free) {
    return new NodeMemory(host, "c", 1, 2000 * GB, free, gpu, gpu, "H200");
  }

  private static NodeMemory.Agreed agreed(Machine machine, long gpuTotal) {
    return new NodeMemory.Agreed(machine, gpuTotal, machine.gpus(), GpuKind.named("NVIDIA H200"));
  }

  private static AnnealConfig config(String... sets) {
    return ConfigLoader.load(null, Arrays.asList(sets), Path.of("/"));
  }
}
