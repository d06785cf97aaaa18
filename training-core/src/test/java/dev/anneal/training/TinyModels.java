package dev.anneal.training;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.FullModel;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.RopeScaling;
import dev.anneal.training.model.config.TensorNames;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.weights.FrozenLayers;
import dev.anneal.training.weights.FrozenVocabulary;
import dev.anneal.training.weights.Placement;
import dev.anneal.training.weights.reader.LoadProgress;
import dev.anneal.training.weights.reader.WeightReader;
import dev.anneal.training.weights.reader.WholeTensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** Models built without a run around them, in the current tensor scope and in fp32. */
public final class TinyModels {
  private TinyModels() {}

  /** Whether the head is the embedding. */
  public enum Embeddings {
    TIED,
    UNTIED
  }

  /** Odd sizes: three query heads on one of keys and values, heads wider than hidden_size / 3. */
  public static LlamaConfig config(Embeddings embeddings) {
    return config(embeddings, 2);
  }

  /** The same with so many layers. */
  public static LlamaConfig config(Embeddings embeddings, int layers) {
    return new LlamaConfig(
        37,
        24,
        40,
        layers,
        3,
        1,
        10,
        1e-5,
        new RopeScaling(8, 1, 4, 8),
        10_000,
        64,
        embeddings == Embeddings.TIED,
        null,
        List.of());
  }

  /** The weights of {@code base}, frozen, under the adapters of {@code adapter}. */
  public static LoraModel lora(
      LlamaConfig config, WeightReader base, LoraSpec spec, WeightReader adapter) {
    return lora(
        config,
        base,
        spec,
        adapter,
        new Placement(Device.CPU, DType.FP32, DType.FP32, new SingleRank(), 0));
  }

  /** The same, with the frozen layers kept and computed as {@code placement} says. */
  public static LoraModel lora(
      LlamaConfig config,
      WeightReader base,
      LoraSpec spec,
      WeightReader adapter,
      Placement placement) {
    return lora(config, base, spec, adapter, placement, new SingleRank());
  }

  /** The same, with the adapters cut for the ranks of {@code world}. */
  public static LoraModel lora(
      LlamaConfig config,
      WeightReader base,
      LoraSpec spec,
      WeightReader adapter,
      Placement placement,
      Collectives world) {
    return lora(config, base, spec, adapter, placement, world, Parameters.Gathered.ONCE_A_STEP);
  }

  /** The same, with the adapters brought together as {@code gathered} says. */
  public static LoraModel lora(
      LlamaConfig config,
      WeightReader base,
      LoraSpec spec,
      WeightReader adapter,
      Placement placement,
      Collectives world,
      Parameters.Gathered gathered) {
    LoraLayout layout = LoraLayout.of(spec, config);
    DType compute = placement.compute();
    Parameters parameters =
        new Parameters(
            LoraModel.shapes(config, layout), compute, placement.device(), world, gathered);
    copy(adapter, parameters);
    FrozenLayers decoder = FrozenLayers.load(config, placement, base);
    WholeTensors whole = new WholeTensors(placement.device(), compute);
    Tensor norm = whole.want(TensorNames.NORM, config.hiddenSize());
    FrozenVocabulary vocabulary = new FrozenVocabulary(config, decoder);
    base.stream(whole.wanted(), placement.device(), LoadProgress.IGNORED);
    base.stream(vocabulary.wanted(), placement.device(), LoadProgress.IGNORED);
    return new LoraModel(config, layout, parameters, decoder, vocabulary, norm);
  }

  /** A model all of whose weights, from {@code weights}, train. */
  public static FullModel full(LlamaConfig config, WeightReader weights) {
    return full(config, weights, DType.FP32, Device.CPU, new SingleRank());
  }

  /** The same on {@code device}, cut for the ranks of {@code world}. */
  public static FullModel full(
      LlamaConfig config, WeightReader weights, DType compute, Device device, Collectives world) {
    Parameters parameters = new Parameters(FullModel.shapes(config), compute, device, world);
    copy(weights, parameters);
    return new FullModel(config, parameters);
  }

  /** Parameters of a rank on its own on the host. */
  public static Parameters parameters(List<List<Parameters.Shape>> buckets, DType dtype) {
    return new Parameters(buckets, dtype, Device.CPU, new SingleRank());
  }

  private static void copy(WeightReader weights, Parameters parameters) {
    for (String name : parameters.layout().names()) {
      try (TensorScope scope = new TensorScope()) {
        parameters.assign(name, weights.read(name, DType.FP32, parameters.layout().shape(name)));
      }
    }
    parameters.publish();
  }
}
