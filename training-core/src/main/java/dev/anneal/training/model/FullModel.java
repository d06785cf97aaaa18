package dev.anneal.training.model;

import dev.anneal.training.optim.Parameters;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * A Llama all of whose weights train, held whole by every rank: for small models. The parameters
 * carry the names of the state dict.
 */
public record FullModel(LlamaConfig config, Parameters parameters) implements TrainableModel {

  /** The parameters of a model of this shape, in one bucket, in the order of the state dict. */
  public static List<List<Parameters.Shape>> shapes(LlamaConfig config) {
    List<Parameters.Shape> shapes = new ArrayList<>();
    TensorNames.shapes(config)
        .forEach((name, dims) -> shapes.add(new Parameters.Shape(name, dims)));
    return List.of(shapes);
  }

  @Override
  public Tensor embedTokens(Leaves leaves) {
    return leaves.use(TensorNames.EMBED_TOKENS);
  }

  @Override
  public LlamaLayer layer(int index, Dropout dropout, Leaves leaves) {
    Map<LinearModule, Tensor> linears = new EnumMap<>(LinearModule.class);
    for (LinearModule module : LinearModule.values()) {
      linears.put(module, leaves.use(module.weightName(index)));
    }
    LayerWeights weights =
        new LayerWeights(
            linears,
            leaves.use(TensorNames.inputLayernorm(index)),
            leaves.use(TensorNames.postAttentionLayernorm(index)));
    return new LlamaLayer(config, weights, LayerAdapters.none(index));
  }

  @Override
  public Tensor norm(Leaves leaves) {
    return leaves.use(TensorNames.NORM);
  }

  @Override
  public Tensor lmHead(Leaves leaves) {
    return leaves.use(config.tieWordEmbeddings() ? TensorNames.EMBED_TOKENS : TensorNames.LM_HEAD);
  }
}
