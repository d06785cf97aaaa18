package dev.anneal.training.weights;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.LoudWeights;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FlatLayerReaderTest {
  private static final LlamaConfig CONFIG = TinyModels.config(Embeddings.TIED);
  private static final WeightReader WEIGHTS = new LoudWeights(4);

  @BeforeAll
  static void load() {
    NativeLibraries.load();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 7, 64})
  void shardsOfAnyWorldMakeUpTheLayer(int worldSize) {
    try (TensorScope scope = new TensorScope()) {
      LayerLayout layout = new LayerLayout(CONFIG);
      FlatLayerReader reader = new FlatLayerReader(WEIGHTS, layout, DType.FP32);
      long shard = (layout.numel() + worldSize - 1) / worldSize;
      Tensor[] shards = new Tensor[worldSize];
      for (int rank = 0; rank < worldSize; rank++) {
        shards[rank] = reader.read(1, rank * shard, shard);
      }
      Tensor flat = Tensors.cat(shards);
      layout
          .views(flat)
          .forEach((module, weight) -> assertThat(weight.equal(whole(module))).isTrue());
      assertThat(flat.narrow(0, layout.numel(), flat.numel() - layout.numel()).any().item_bool())
          .as("padding")
          .isFalse();
    }
  }

  private static Tensor whole(LinearModule module) {
    return WEIGHTS.read(
        module.weightName(1), DType.FP32, module.outFeatures(CONFIG), module.inFeatures(CONFIG));
  }
}
