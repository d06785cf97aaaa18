package dev.anneal.training.lora;

import dev.anneal.training.model.Dropout;
import dev.anneal.training.model.LayerAdapters;
import dev.anneal.training.model.Leaves;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.LlamaLayer;
import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.model.TrainableModel;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.weights.FrozenLayers;
import dev.anneal.training.weights.FrozenVocabulary;
import dev.anneal.training.weights.reader.ParameterFile;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * A frozen Llama with trained adapters. The parameters carry PEFT's names.
 *
 * @param decoder the frozen decoder layers
 * @param vocabulary embedding and head
 * @param norm {@code [hidden_size]} in the compute dtype
 * @param first of PiSSA on the rank that writes adapters, else {@code null}
 */
public record LoraModel(
    LlamaConfig config,
    LoraLayout layout,
    Parameters parameters,
    FrozenLayers decoder,
    FrozenVocabulary vocabulary,
    Tensor norm,
    FirstFactors first)
    implements TrainableModel {

  /** A model of whose weights nothing was taken. */
  public LoraModel(
      LlamaConfig config,
      LoraLayout layout,
      Parameters parameters,
      FrozenLayers decoder,
      FrozenVocabulary vocabulary,
      Tensor norm) {
    this(config, layout, parameters, decoder, vocabulary, norm, null);
  }

  /** The same with what was taken out of its weights. */
  public LoraModel with(FirstFactors taken) {
    return new LoraModel(config, layout, parameters, decoder, vocabulary, norm, taken);
  }

  /** In what form adapters are published. */
  public ParameterFile.Form form() {
    return first == null ? ParameterFile.Form.PLAIN : first;
  }

  /**
   * The adapters' parameters, a bucket a layer. A module group's {@code A [r, in]} lie end to end,
   * then its {@code B [out, r]}. DoRA's magnitudes {@code [out]} come after all of them.
   */
  public static List<List<Parameters.Shape>> shapes(LlamaConfig config, LoraLayout layout) {
    List<List<Parameters.Shape>> layers = new ArrayList<>();
    for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
      Map<LinearModule, LoraLayout.Adapter> adapters = layout.layers().get(layer);
      List<Parameters.Shape> shapes = new ArrayList<>();
      for (ModuleGroup group : ModuleGroup.values()) {
        List<LinearModule> modules =
            group.modules().stream().filter(adapters::containsKey).toList();
        for (LinearModule module : modules) {
          long in = module.inFeatures(config);
          shapes.add(new Parameters.Shape(module.loraAName(layer), adapters.get(module).r(), in));
        }
        for (LinearModule module : modules) {
          long out = module.outFeatures(config);
          shapes.add(new Parameters.Shape(module.loraBName(layer), out, adapters.get(module).r()));
        }
      }
      if (layout.spec().isDora()) {
        for (LinearModule module : adapters.keySet()) {
          long out = module.outFeatures(config);
          shapes.add(new Parameters.Shape(module.loraMagnitudeName(layer), out));
        }
      }
      layers.add(shapes);
    }
    return layers;
  }

  /** Of all adapters' parameters. */
  public static long elements(LlamaConfig config, LoraLayout layout) {
    return shapes(config, layout).stream()
        .flatMap(List::stream)
        .mapToLong(Parameters.Shape::numel)
        .sum();
  }

  /**
   * What adapters compute with where activations are of {@code activations}: DoRA's stay in fp32,
   * as PEFT keeps them, since a length rounded to bf16 is off by more than training changes it.
   */
  public static DType computeDtype(LoraSpec spec, DType activations) {
    return spec.isDora() ? DType.FP32 : activations;
  }

  @Override
  public Tensor embedTokens(Leaves leaves) {
    return vocabulary.embedTokens();
  }

  @Override
  public LlamaLayer layer(int index, Dropout dropout, Leaves leaves) {
    Map<LinearModule, LayerAdapters.Pair> pairs = new EnumMap<>(LinearModule.class);
    layout
        .layers()
        .get(index)
        .forEach(
            (module, adapter) -> {
              Tensor a = leaves.use(module.loraAName(index));
              Tensor b = leaves.use(module.loraBName(index));
              Tensor magnitude =
                  layout.spec().isDora() ? leaves.use(module.loraMagnitudeName(index)) : null;
              pairs.put(module, new LayerAdapters.Pair(a, b, magnitude, adapter.scale()));
            });
    LayerAdapters adapters = new LayerAdapters(index, pairs, dropout);
    return new LlamaLayer(config, decoder.layer(index), adapters);
  }

  @Override
  public void close() {
    try (decoder;
        parameters) {
      // the parameters first: their ranks take leave of each other before any frees pinned memory,
      // for which each needs another time
    }
  }

  @Override
  public Tensor norm(Leaves leaves) {
    return norm;
  }

  @Override
  public void expectLmHead() {
    vocabulary.expectLmHead();
  }

  @Override
  public Tensor lmHead(Leaves leaves) {
    return vocabulary.lmHead();
  }
}
