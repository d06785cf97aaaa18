package dev.anneal.training.merge;

import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.model.Dropout;
import dev.anneal.training.model.LayerAdapters;
import dev.anneal.training.model.Leaves;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.LlamaLayer;
import dev.anneal.training.model.TrainableModel;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.TensorNames;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * A Llama of which nothing trains and nothing is in memory but what is asked for, in fp32: it is
 * read anew each time.
 */
final class StreamedModel implements TrainableModel {

  /** Reads a weight whole, in fp32, into the current tensor scope. */
  @FunctionalInterface
  interface Source {
    Tensor read(String name, long... shape);
  }

  private final LlamaConfig config;
  private final Source weights;
  private final Source adapter;
  private final Map<String, MergeInputs.Delta> deltas;
  private final Parameters none =
      new Parameters(List.of(), DType.FP32, Device.CPU, new SingleRank());

  /**
   * A base model with an adapter beside it.
   *
   * @param deltas the adapters, by the name of the weight; none for a merged model
   */
  StreamedModel(
      LlamaConfig config, Source weights, Source adapter, Map<String, MergeInputs.Delta> deltas) {
    this.config = config;
    this.weights = weights;
    this.adapter = adapter;
    this.deltas = deltas;
  }

  @Override
  public LlamaConfig config() {
    return config;
  }

  @Override
  public Parameters parameters() {
    return none;
  }

  @Override
  public Tensor embedTokens(Leaves leaves) {
    return weights.read(TensorNames.EMBED_TOKENS, config.vocabSize(), config.hiddenSize());
  }

  @Override
  public LlamaLayer layer(int index, Dropout dropout, Leaves leaves) {
    Map<LinearModule, Tensor> linears = new EnumMap<>(LinearModule.class);
    Map<LinearModule, LayerAdapters.Pair> pairs = new EnumMap<>(LinearModule.class);
    for (LinearModule module : LinearModule.values()) {
      long in = module.inFeatures(config);
      long out = module.outFeatures(config);
      linears.put(module, weights.read(module.weightName(index), out, in));
      MergeInputs.Delta delta = deltas.get(module.weightName(index));
      if (delta != null) {
        Tensor a = adapter.read(delta.a(), delta.r(), in);
        Tensor b = adapter.read(delta.b(), out, delta.r());
        Tensor magnitude = delta.magnitude() == null ? null : adapter.read(delta.magnitude(), out);
        pairs.put(module, new LayerAdapters.Pair(a, b, magnitude, delta.scale()));
      }
    }
    LlamaLayer.Weights layer =
        new LlamaLayer.Weights(
            linears,
            weights.read(TensorNames.inputLayernorm(index), config.hiddenSize()),
            weights.read(TensorNames.postAttentionLayernorm(index), config.hiddenSize()));
    return new LlamaLayer(config, layer, new LayerAdapters(index, pairs, dropout));
  }

  @Override
  public Tensor norm(Leaves leaves) {
    return weights.read(TensorNames.NORM, config.hiddenSize());
  }

  @Override
  public Tensor lmHead(Leaves leaves) {
    return config.tieWordEmbeddings()
        ? embedTokens(leaves)
        : weights.read(TensorNames.LM_HEAD, config.vocabSize(), config.hiddenSize());
  }
}
