package dev.anneal.training.trainer;

import dev.anneal.training.checkpoint.ResumePoint;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.TimedCollectives;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.lora.FirstFactors;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraVariant;
import dev.anneal.training.lora.PeftConfig;
import dev.anneal.training.model.Dora;
import dev.anneal.training.model.FullModel;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.LlamaLayer;
import dev.anneal.training.model.TrainableModel;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.model.config.TensorNames;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.Seeds;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.FrozenLayers;
import dev.anneal.training.weights.FrozenVocabulary;
import dev.anneal.training.weights.Placement;
import dev.anneal.training.weights.Transport;
import dev.anneal.training.weights.reader.SafetensorsWeights;
import dev.anneal.training.weights.reader.WantedRows;
import dev.anneal.training.weights.reader.WeightReader;
import dev.anneal.training.weights.reader.Weights;
import dev.anneal.training.weights.reader.WholeTensors;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Builds the model that a run trains or asks, in the current tensor scope. */
final class ModelLoader {
  private ModelLoader() {}

  static TrainableModel load(
      TrainingSpec spec,
      TrainingRun.Inputs inputs,
      LlamaConfig config,
      Ranks ranks,
      TrainingListener listener)
      throws IOException {
    listener.onPhase(Progress.LOADING_WEIGHTS);
    try (WeightReader weights = Weights.open(inputs.model());
        NoGrad noGrad = new NoGrad()) {
      return switch (spec.mode()) {
        case LORA -> lora(spec, inputs, config, weights, ranks, listener);
        case FULL -> full(spec, config, weights, ranks, listener);
      };
    }
  }

  private static TrainableModel full(
      TrainingSpec spec,
      LlamaConfig config,
      WeightReader weights,
      Ranks ranks,
      PhaseListener listener) {
    DType compute = spec.compute().dtype();
    FullTuningMemory.require(config, compute, ranks);
    Parameters parameters =
        new Parameters(FullModel.shapes(config), compute, ranks.device(), ranks.world());
    weights.stream(
        parameters.layout().names().stream().map(name -> wanted(name, parameters)).toList(),
        ranks.device(),
        new Progress(Progress.LOADING_WEIGHTS, listener));
    parameters.publish();
    return new FullModel(config, parameters);
  }

  /** All of a parameter; a vector is one row. */
  private static WantedRows wanted(String name, Parameters parameters) {
    long[] shape = parameters.layout().shape(name);
    long rows = shape.length == 1 ? 1 : shape[0];
    long columns = shape[shape.length - 1];
    return new WantedRows(
        name, 0, rows, columns, (row, values) -> parameters.assign(name, row * columns, values));
  }

  private static TrainableModel lora(
      TrainingSpec spec,
      TrainingRun.Inputs inputs,
      LlamaConfig config,
      WeightReader weights,
      Ranks ranks,
      TrainingListener listener)
      throws IOException {
    LoraLayout layout = LoraLayout.of(spec.lora(), config);
    Parameters parameters =
        new Parameters(
            LoraModel.shapes(config, layout),
            LoraModel.computeDtype(spec.lora(), spec.compute().dtype()),
            ranks.world(),
            new Parameters.Exchange(
                gathered(spec, config, ranks),
                AdapterGathering.summed(spec, config),
                Transport.asked(Transport.PARAMETERS)
                    .arena(Transport.PARAMETERS, ranks.device(), ranks.world(), ranks.mapped())));
    try {
      return begun(spec, inputs, config, layout, parameters, weights, ranks, listener);
    } catch (IOException | RuntimeException | Error e) {
      try (parameters) {
        throw e;
      }
    }
  }

  /** With adapters that have their first values. */
  private static TrainableModel begun(
      TrainingSpec spec,
      TrainingRun.Inputs inputs,
      LlamaConfig config,
      LoraLayout layout,
      Parameters parameters,
      WeightReader weights,
      Ranks ranks,
      TrainingListener listener)
      throws IOException {
    if (layout.spec().variant() instanceof LoraVariant.Pissa pissa) {
      PissaStart start = new PissaStart(config, layout, parameters, ranks);
      ResumePoint resume = inputs.checkpoints().resume();
      FirstFactors first =
          resume == null
              ? start.factor(weights, pissa, spec.seed(), listener)
              : start.read(resume.folder());
      return frozen(
              config, layout, parameters, placement(spec, ranks), start.residual(weights), listener)
          .with(first);
    }
    if (inputs.initAdapter() == null) {
      initialize(parameters, config, layout, spec.seed());
    } else {
      copy(inputs.initAdapter(), parameters);
    }
    LoraModel model = frozen(config, layout, parameters, placement(spec, ranks), weights, listener);
    if (layout.spec().isDora() && inputs.initAdapter() == null) {
      try {
        measure(model, ranks);
      } catch (RuntimeException | Error e) {
        // whoever has made the parameters ends them
        try (FrozenLayers decoder = model.decoder()) {
          throw e;
        }
      }
    }
    return model;
  }

  /** DoRA's magnitudes begin as the lengths of the weights' rows: B is zero. */
  private static void measure(LoraModel model, Ranks ranks) {
    for (int layer = 0; layer < model.config().numHiddenLayers(); layer++) {
      try (TensorScope scope = new TensorScope()) {
        LlamaLayer.Weights weights = model.decoder().layer(layer);
        for (LinearModule module : model.layout().layers().get(layer).keySet()) {
          Tensor weight = weights.linears().get(module);
          Tensor a = Tensors.zeros(ranks.device(), ScalarType.Float, 1, weight.size(1));
          Tensor b = Tensors.zeros(ranks.device(), ScalarType.Float, weight.size(0), 1);
          model.parameters().assign(module.loraMagnitudeName(layer), Dora.lengths(weight, a, b, 0));
        }
      }
    }
    model.parameters().publish();
  }

  /**
   * A model that does not train.
   *
   * @param adapter in PEFT's form; {@code null} for none
   */
  static LoraModel loadFrozen(
      ModelSource source,
      ModelFolder adapter,
      Placement placement,
      Ranks ranks,
      PhaseListener listener)
      throws IOException {
    LlamaConfig config = source.config();
    try (WeightReader weights = Weights.open(source);
        NoGrad noGrad = new NoGrad()) {
      LoraLayout layout =
          adapter == null
              ? LoraLayout.none(config)
              : LoraLayout.of(PeftConfig.read(adapter).lora(), config);
      Parameters parameters = parameters(config, layout, placement.compute(), ranks);
      if (adapter != null) {
        copy(adapter, parameters);
      }
      return frozen(config, layout, parameters, placement, weights, listener);
    }
  }

  private static Parameters.Gathered gathered(TrainingSpec spec, LlamaConfig config, Ranks ranks) {
    boolean split = spec.weights().shard() != FrozenLayers.Shard.NONE;
    return AdapterGathering.of(
        spec,
        config,
        ranks.world().worldSize(),
        split ? ranks.shard().worldSize() : 1,
        ranks.device().isGpu() && TrainingRun.isFused(spec));
  }

  private static Parameters parameters(
      LlamaConfig config, LoraLayout layout, DType compute, Ranks ranks) {
    return new Parameters(
        LoraModel.shapes(config, layout),
        LoraModel.computeDtype(layout.spec(), compute),
        ranks.device(),
        ranks.world());
  }

  private static LoraModel frozen(
      LlamaConfig config,
      LoraLayout layout,
      Parameters parameters,
      Placement placement,
      WeightReader weights,
      PhaseListener listener) {
    FrozenLayers decoder = taken(config, placement, listener);
    try {
      WholeTensors whole = new WholeTensors(placement.device(), placement.compute());
      Tensor norm = whole.want(TensorNames.NORM, config.hiddenSize());
      FrozenVocabulary vocabulary = new FrozenVocabulary(config, decoder);
      List<WantedRows> wanted = new ArrayList<>(decoder.wanted());
      wanted.addAll(vocabulary.wanted());
      wanted.addAll(whole.wanted());
      weights.stream(wanted, placement.device(), new Progress(Progress.LOADING_WEIGHTS, listener));
      decoder.complete();
      if (placement.device().isGpu()) {
        decoder
            .whyGathered()
            .ifPresent(why -> listener.onPhase("gathering layers over NCCL, since " + why));
      }
      return new LoraModel(config, layout, parameters, decoder, vocabulary, norm);
    } catch (RuntimeException | Error e) {
      try (decoder) {
        throw e;
      }
    }
  }

  /** Not loaded yet; where it takes much memory of the host, that is a phase of its own. */
  private static FrozenLayers taken(
      LlamaConfig config, Placement placement, PhaseListener listener) {
    boolean pins = placement.device().isGpu() && placement.offloadRatio() > 0;
    if (pins) {
      listener.onPhase(Progress.PINNING_MEMORY);
    }
    Progress pinning = new Progress(Progress.PINNING_MEMORY, listener);
    FrozenLayers decoder = new FrozenLayers(config, placement, pinning);
    if (pins) {
      listener.onPhase(Progress.LOADING_WEIGHTS);
    }
    return decoder;
  }

  static Placement placement(TrainingSpec spec, Ranks ranks) {
    return placement(spec.weights(), spec.compute().dtype(), ranks);
  }

  static Placement placement(TrainingSpec.Weights weights, DType compute, Ranks ranks) {
    Collectives shard =
        weights.shard() == FrozenLayers.Shard.NONE
            ? TimedCollectives.alone(ranks.world().timings())
            : ranks.shard();
    return new Placement(
        ranks.device(),
        weights.dtype(),
        compute,
        shard,
        weights.offloadRatio(),
        weights.exactEdges(),
        Transport.asked(Transport.WEIGHTS),
        ranks.mapped());
  }

  /** As PEFT does: A uniform as {@code kaiming_uniform_(a=sqrt(5))} draws it, B zero. */
  private static void initialize(
      Parameters parameters, LlamaConfig config, LoraLayout layout, long seed) {
    for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
      for (LinearModule module : layout.layers().get(layer).keySet()) {
        try (TensorScope scope = new TensorScope()) {
          String name = module.loraAName(layer);
          double bound = 1 / Math.sqrt(module.inFeatures(config));
          Tensor a = Tensors.empty(ScalarType.Float, parameters.layout().shape(name));
          parameters.assign(name, Tensors.uniform(a, bound, Seeds.mix(seed, name.hashCode())));
        }
      }
    }
    parameters.publish();
  }

  private static void copy(ModelFolder adapter, Parameters parameters) {
    try (WeightReader weights = SafetensorsWeights.open(adapter, SafetensorsIndex.ADAPTER_FILE)) {
      copy(weights, parameters);
    }
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
