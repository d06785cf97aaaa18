package dev.anneal.training.model;

import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.TensorNames;
import dev.anneal.training.optim.Parameters;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.Predicate;
import org.bytedeco.pytorch.Tensor;

/**
 * A Llama all of whose weights train. Every rank computes with all of them. The parameters carry
 * the names of the state dict.
 */
public record FullModel(LlamaConfig config, Parameters parameters) implements TrainableModel {

  /**
   * The parameters of a model of this shape: a bucket a layer, as adapters have, then one with the
   * embedding, whose gradient is complete last even where it is the head too, and one with the
   * final norm and the head, whose gradient is complete first.
   */
  public static List<List<Parameters.Shape>> shapes(LlamaConfig config) {
    Map<String, long[]> shapes = TensorNames.shapes(config);
    List<List<Parameters.Shape>> buckets = new ArrayList<>();
    for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
      String prefix = TensorNames.layer(layer) + ".";
      buckets.add(bucket(shapes, name -> name.startsWith(prefix)));
    }
    buckets.add(bucket(shapes, name -> name.equals(TensorNames.EMBED_TOKENS)));
    buckets.add(
        bucket(shapes, name -> name.equals(TensorNames.NORM) || name.equals(TensorNames.LM_HEAD)));
    return buckets;
  }

  private static List<Parameters.Shape> bucket(Map<String, long[]> shapes, Predicate<String> isIn) {
    return shapes.entrySet().stream()
        .filter(shape -> isIn.test(shape.getKey()))
        .map(shape -> new Parameters.Shape(shape.getKey(), shape.getValue()))
        .toList();
  }

  /** How many parameters a model of this shape has. */
  public static long count(LlamaConfig config) {
    return shapes(config).stream().flatMap(List::stream).mapToLong(Parameters.Shape::numel).sum();
  }

  @Override
  public OptionalInt headBucket() {
    return OptionalInt.of(config.numHiddenLayers() + 1);
  }

  @Override
  public OptionalInt embeddingBucket() {
    return OptionalInt.of(config.numHiddenLayers());
  }

  @Override
  public Tensor embedTokens(Leaves leaves) {
    return leaves.use(TensorNames.EMBED_TOKENS);
  }

  @Override
  public boolean trainsEmbedTokens() {
    return true;
  }

  @Override
  public LlamaLayer layer(int index, Dropout dropout, Leaves leaves) {
    Map<LinearModule, Tensor> linears = new EnumMap<>(LinearModule.class);
    for (LinearModule module : LinearModule.values()) {
      linears.put(module, leaves.use(module.weightName(index)));
    }
    LlamaLayer.Weights weights =
        new LlamaLayer.Weights(
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
