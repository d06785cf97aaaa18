package dev.anneal.training.trainer;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.io.CheckpointIndex;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.model.FullModel;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.LlamaConfig;
import dev.anneal.training.model.TensorNames;
import dev.anneal.training.model.TrainableModel;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.Seeds;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.CheckpointWeights;
import dev.anneal.training.weights.FrozenWeights;
import dev.anneal.training.weights.WantedRows;
import dev.anneal.training.weights.WeightReader;
import dev.anneal.training.weights.Weights;
import dev.anneal.training.weights.WholeTensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Builds the model that a run trains, in the current tensor scope. */
final class ModelLoader {
  private ModelLoader() {}

  static TrainableModel load(
      TrainingSpec spec,
      TrainingRun.Inputs inputs,
      LlamaConfig config,
      Ranks ranks,
      TrainingListener listener) {
    try (WeightReader weights = Weights.open(inputs.model());
        NoGrad noGrad = new NoGrad()) {
      return switch (spec.mode()) {
        case LORA -> lora(spec, inputs, config, weights, ranks, listener);
        case FULL -> full(spec, config, weights, ranks);
      };
    }
  }

  private static TrainableModel full(
      TrainingSpec spec, LlamaConfig config, WeightReader weights, Ranks ranks) {
    Parameters parameters =
        new Parameters(
            FullModel.shapes(config), spec.compute().dtype(), ranks.device(), ranks.world());
    copy(weights, parameters);
    return new FullModel(config, parameters);
  }

  private static TrainableModel lora(
      TrainingSpec spec,
      TrainingRun.Inputs inputs,
      LlamaConfig config,
      WeightReader weights,
      Ranks ranks,
      TrainingListener listener) {
    LoraLayout layout = LoraLayout.of(spec.lora(), config);
    Parameters parameters =
        new Parameters(
            LoraModel.shapes(config, layout),
            spec.compute().dtype(),
            ranks.device(),
            ranks.world());
    if (inputs.initAdapter() == null) {
      initialize(parameters, config, layout, spec.seed());
    } else {
      try (WeightReader adapter =
          CheckpointWeights.open(inputs.initAdapter(), CheckpointIndex.ADAPTER_FILE)) {
        copy(adapter, parameters);
      }
    }
    FrozenWeights decoder = new FrozenWeights(config, placement(spec, ranks));
    WholeTensors whole = new WholeTensors(ranks.device(), spec.compute().dtype());
    long[] vocabulary = {config.vocabSize(), config.hiddenSize()};
    Tensor embedTokens = whole.want(TensorNames.EMBED_TOKENS, vocabulary);
    Tensor lmHead =
        config.tieWordEmbeddings() ? embedTokens : whole.want(TensorNames.LM_HEAD, vocabulary);
    Tensor norm = whole.want(TensorNames.NORM, config.hiddenSize());
    List<WantedRows> wanted = new ArrayList<>(decoder.wanted());
    wanted.addAll(whole.wanted());
    weights.stream(wanted, ranks.device(), new Progress(Progress.LOADING_WEIGHTS, listener));
    decoder.complete();
    return new LoraModel(config, layout, parameters, decoder, embedTokens, norm, lmHead);
  }

  static FrozenWeights.Placement placement(TrainingSpec spec, Ranks ranks) {
    Collectives shard =
        spec.weights().shard() == FrozenWeights.Shard.NONE ? new SingleRank() : ranks.shard();
    return new FrozenWeights.Placement(
        ranks.device(),
        spec.weights().dtype(),
        spec.compute().dtype(),
        shard,
        spec.weights().offloadRatio());
  }

  /** As PEFT does: A uniform as {@code kaiming_uniform_(a=sqrt(5))} draws it, B zero. */
  private static void initialize(
      Parameters parameters, LlamaConfig config, LoraLayout layout, long seed) {
    for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
      for (LinearModule module : layout.layers().get(layer).keySet()) {
        try (TensorScope scope = new TensorScope()) {
          String name = module.loraAName(layer);
          double bound = 1 / Math.sqrt(module.inFeatures(config));
          Tensor a = Tensors.empty(ScalarType.Float, parameters.shape(name));
          parameters.assign(name, Tensors.uniform(a, bound, Seeds.mix(seed, name.hashCode())));
        }
      }
    }
    parameters.publish();
  }

  private static void copy(WeightReader weights, Parameters parameters) {
    for (String name : parameters.names()) {
      try (TensorScope scope = new TensorScope()) {
        parameters.assign(name, weights.read(name, DType.FP32, parameters.shape(name)));
      }
    }
    parameters.publish();
  }
}
