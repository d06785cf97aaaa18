package dev.anneal.spark.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.model.Llama.Activations;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.trainer.TrainingSpec;
import dev.anneal.training.weights.FrozenWeights.Shard;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class SpecsTest {

  @Test
  void tellsTheCoreWhatTheLargestRecipeAsksFor() {
    TrainingSpec spec = spec();
    assertThat(spec.weights().dtype()).isEqualTo(DType.FP8);
    assertThat(spec.weights().shard()).isEqualTo(Shard.NODE);
    assertThat(spec.weights().offloadRatio()).isZero();
    assertThat(spec.compute().dtype()).isEqualTo(DType.BF16);
    assertThat(spec.compute().matmul()).isEqualTo(Matmul.FP8);
    assertThat(spec.compute().activations()).isEqualTo(Activations.CHECKPOINT);
  }

  @Test
  void splitsOverANodeOnlyWhereItHasSeveralRanks() {
    assertThat(spec("cluster.gpus_per_node=2").weights().shard()).isEqualTo(Shard.NODE);
    assertThat(spec("cluster.gpus_per_node=1", "cluster.nodes=2").weights().shard())
        .isEqualTo(Shard.NONE);
    assertThat(spec("cluster.gpus_per_node=0").weights().shard()).isEqualTo(Shard.NONE);
    assertThat(spec("base_weights.shard=world").weights().shard()).isEqualTo(Shard.WORLD);
    assertThat(spec("base_weights.shard=none").weights().shard()).isEqualTo(Shard.NONE);
  }

  @Test
  void movesToTheHostWhatIsAskedFor() {
    assertThat(spec("base_weights.offload_ratio=0.25").weights().offloadRatio()).isEqualTo(0.25);
    assertThat(spec("activations.offload=true").compute().activations())
        .isEqualTo(Activations.CHECKPOINT_ON_HOST);
    assertThat(spec("activations.checkpoint=none").compute().activations())
        .isEqualTo(Activations.KEEP);
  }

  @Test
  void multipliesInTheComputeDtypeWithoutFp8() {
    TrainingSpec spec = spec("compute.matmul=bf16", "base_weights.dtype=bf16");
    assertThat(spec.compute().matmul()).isEqualTo(Matmul.COMPUTE);
    assertThat(spec.weights().dtype()).isEqualTo(DType.BF16);
  }

  private static TrainingSpec spec(String... sets) {
    AnnealConfig config = ConfigLoader.load(null, List.of(sets), Path.of("/"));
    return Specs.training(config, 1000);
  }
}
