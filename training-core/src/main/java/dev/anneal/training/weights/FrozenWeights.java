package dev.anneal.training.weights;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.model.DecoderWeights;
import dev.anneal.training.model.FrozenLayer;
import dev.anneal.training.model.FrozenMatrix;
import dev.anneal.training.model.LayerWeights;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.LlamaConfig;
import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.model.TensorNames;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** The decoder layers of a model that does not train, in one of several storages. */
public final class FrozenWeights implements DecoderWeights {

  /** Where the layers lie. */
  public enum Shard {
    /** every rank holds every layer */
    NONE,
    /** the ranks of a node hold equal parts of every layer */
    NODE,
    /** all ranks hold equal parts of every layer */
    WORLD
  }

  private record Norms(Tensor inputLayernorm, Tensor postAttentionLayernorm) {}

  private final LayerLayout layout;
  private final LayerStorage storage;
  private final DType computeDtype;
  private final List<Norms> norms = new ArrayList<>();

  /** Reads this rank's part of the layers into the current tensor scope. */
  public FrozenWeights(
      LlamaConfig config,
      WeightReader weights,
      DType storedDtype,
      DType computeDtype,
      Shard shard,
      Collectives collectives) {
    this.layout = new LayerLayout(config);
    this.computeDtype = computeDtype;
    FlatLayerReader reader = new FlatLayerReader(weights, layout, storedDtype);
    int layers = config.numHiddenLayers();
    this.storage =
        switch (shard) {
          case NONE -> new ResidentStorage(reader, layers);
          case NODE, WORLD -> new ShardedStorage(reader, layers, collectives);
        };
    for (int layer = 0; layer < layers; layer++) {
      norms.add(
          new Norms(
              weights.read(TensorNames.inputLayernorm(layer), computeDtype, config.hiddenSize()),
              weights.read(
                  TensorNames.postAttentionLayernorm(layer), computeDtype, config.hiddenSize())));
    }
  }

  @Override
  public FrozenLayer use(int layer, int next) {
    Tensor flat = storage.flat(layer).to(computeDtype.scalarType());
    Map<ModuleGroup, FrozenMatrix> matrices = new EnumMap<>(ModuleGroup.class);
    Map<LinearModule, Tensor> linears = layout.views(flat);
    for (ModuleGroup group : ModuleGroup.values()) {
      Tensor[] parts = group.modules().stream().map(linears::get).toArray(Tensor[]::new);
      matrices.put(group, new FrozenMatrix(Tensors.cat(parts), null));
    }
    Norms norm = norms.get(layer);
    return new FrozenLayer(matrices, norm.inputLayernorm(), norm.postAttentionLayernorm());
  }

  @Override
  public LayerWeights layer(int layer) {
    Tensor flat = storage.flat(layer).to(computeDtype.scalarType());
    Map<LinearModule, Tensor> linears = layout.views(flat);
    Norms norm = norms.get(layer);
    return new LayerWeights(linears, norm.inputLayernorm(), norm.postAttentionLayernorm());
  }
}
