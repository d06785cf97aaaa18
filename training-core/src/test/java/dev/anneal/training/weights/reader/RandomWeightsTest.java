package dev.anneal.training.weights.reader;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.tensor.DType;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(InTensorScope.class)
class RandomWeightsTest {
  private static final String UP = "model.layers.1.mlp.up_proj.weight";
  private static final String GATE = "model.layers.1.mlp.gate_proj.weight";
  private static final String NORM = "model.norm.weight";
  private static final long[] SHAPE = {40, 24};

  @Test
  void dependOnSeedAndNameAlone() {
    WeightReader weights = weights(1);
    weights.read(GATE, DType.FP32, SHAPE);
    Tensor up = weights.read(UP, DType.FP32, SHAPE);
    assertThat(up.equal(weights(1).read(UP, DType.FP32, SHAPE))).isTrue();
    assertThat(up.equal(weights(2).read(UP, DType.FP32, SHAPE))).isFalse();
    assertThat(up.equal(weights(1).read(GATE, DType.FP32, SHAPE))).isFalse();
  }

  @Test
  void partsAreSlicesOfTheWhole() {
    Tensor whole = weights(1).read(UP, DType.FP32, 960);
    assertThat(weights(1).read(UP, 7, 901, DType.FP32).equal(whole.narrow(0, 7, 901))).isTrue();
    Tensor rounded = weights(1).read(UP, 7, 901, DType.BF16);
    assertThat(rounded.equal(whole.narrow(0, 7, 901).to(ScalarType.BFloat16))).isTrue();
  }

  @Test
  void followHuggingFacesInitializer() {
    Tensor whole = weights(1).read(UP, DType.FP32, SHAPE);
    assertThat(whole.mean().item_double()).isBetween(-0.002, 0.002);
    assertThat(whole.norm().item_double() / Math.sqrt(960)).isBetween(0.018, 0.022);
    assertThat(weights(1).read(NORM, DType.FP32, 24).min().item_double()).isEqualTo(1);
    assertThat(weights(1).read(NORM, DType.FP32, 24).max().item_double()).isEqualTo(1);
  }

  private static WeightReader weights(long seed) {
    return Weights.open(new ModelSource.Random(TinyModels.config(Embeddings.UNTIED), seed));
  }
}
