package dev.anneal.training.trainer;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.checkpoint.InvalidCheckpointException;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.lora.FirstFactors;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraVariant;
import dev.anneal.training.lora.Pissa;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Seeds;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.reader.LoadProgress;
import dev.anneal.training.weights.reader.SafetensorsWeights;
import dev.anneal.training.weights.reader.WantedRows;
import dev.anneal.training.weights.reader.WeightReader;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The beginning of a run with PiSSA: adapters that are the principal parts of their weights, and
 * weights that are what these leave of them, row by row as ranks read them.
 *
 * <p>Factors are rounded to what models compute with before they are subtracted, so that the sum is
 * the weight again.
 */
final class PissaStart {
  private final LlamaConfig config;
  private final LoraLayout layout;
  private final Parameters parameters;
  private final Ranks ranks;

  PissaStart(LlamaConfig config, LoraLayout layout, Parameters parameters, Ranks ranks) {
    this.config = config;
    this.layout = layout;
    this.parameters = parameters;
    this.ranks = ranks;
  }

  /**
   * Takes the weights apart, the ranks one after the other in turn, and puts the factors into the
   * parameters. Every rank calls it.
   *
   * @return the factors on rank 0, in the current tensor scope; {@code null} on others
   */
  FirstFactors factor(
      WeightReader weights, LoraVariant.Pissa pissa, long seed, PhaseListener listener) {
    listener.onPhase(Progress.FACTORING_WEIGHTS);
    Progress progress = new Progress(Progress.FACTORING_WEIGHTS, listener);
    Map<String, Tensor> first = new LinkedHashMap<>();
    int turn = 0;
    long done = 0;
    long total = layout.layers().stream().mapToLong(this::bytes).sum();
    for (int layer = 0; layer < layout.layers().size(); layer++) {
      try (TensorScope scope = new TensorScope()) {
        Tensor all = Tensors.zeros(ranks.device(), ScalarType.Float, numel(layer));
        List<LinearModule> own = new ArrayList<>();
        for (LinearModule module : layout.layers().get(layer).keySet()) {
          if (turn++ % ranks.world().worldSize() == ranks.rank()) {
            own.add(module);
          }
        }
        int current = layer;
        Runnable work =
            () -> own.forEach(module -> factor(weights, pissa, seed, current, module, all));
        if (searchesOn(pissa).isGpu()) {
          work.run();
        } else {
          // a large weight takes the host longer than the others would wait
          Heartbeats.during(ranks, work);
        }
        if (ranks.world().worldSize() > 1 && all.numel() > 0) {
          ranks.world().allReduceSum(all);
        }
        for (Parameters.Shape shape : parameters.layout().buckets().get(layer)) {
          Tensor values = parameters.layout().inBucket(all, shape.name());
          parameters.assign(shape.name(), values);
          if (ranks.rank() == 0) {
            first.put(shape.name(), scope.keep(values.cpu().clone()));
          }
        }
      }
      done += bytes(layout.layers().get(layer));
      progress.advanced(done, total);
    }
    parameters.publish();
    listener.onPhase(Progress.LOADING_WEIGHTS);
    return ranks.rank() == 0 ? new FirstFactors(first) : null;
  }

  /** Of a layer's weights that have adapters, in fp32. */
  private long bytes(Map<LinearModule, LoraLayout.Adapter> adapters) {
    return adapters.keySet().stream()
        .mapToLong(module -> (long) module.inFeatures(config) * module.outFeatures(config))
        .map(elements -> elements * Float.BYTES)
        .sum();
  }

  private long numel(int layer) {
    return parameters.layout().parts().numels().get(layer);
  }

  /** The whole decomposition is the host's. */
  private Device searchesOn(LoraVariant.Pissa pissa) {
    return pissa.iterations() == 0 ? Device.CPU : ranks.device();
  }

  /** Writes the factors of a module into the layer's vector. */
  private void factor(
      WeightReader weights,
      LoraVariant.Pissa pissa,
      long seed,
      int layer,
      LinearModule module,
      Tensor all) {
    try (TensorScope scope = new TensorScope()) {
      String name = module.weightName(layer);
      long out = module.outFeatures(config);
      long in = module.inFeatures(config);
      Tensor weight = Tensors.to(searchesOn(pissa), weights.read(name, DType.FP32, out, in));
      if (!Tensors.areFinite(weight)) {
        throw new InvalidModelException(
            "%s holds values that are no numbers, so it has no singular values: repair the model, or leave lora.init out."
                .formatted(name));
      }
      LoraLayout.Adapter adapter = layout.layers().get(layer).get(module);
      Pissa.Factors factors =
          Pissa.of(
              weight,
              adapter.r(),
              adapter.scale(),
              pissa.iterations(),
              Seeds.mix(seed, name.hashCode()));
      put(all, module.loraAName(layer), factors.a());
      put(all, module.loraBName(layer), factors.b());
    }
  }

  private void put(Tensor all, String name, Tensor values) {
    parameters
        .layout()
        .inBucket(all, name)
        .copy_(values.to(parameters.computeDtype().scalarType()).to(ScalarType.Float));
  }

  /**
   * Puts the factors that a checkpoint holds into the parameters. Every rank calls it.
   *
   * @return the factors on rank 0, in the current tensor scope; {@code null} on others
   */
  FirstFactors read(ModelFolder checkpoint) throws IOException {
    if (!checkpoint.has(FirstFactors.FILE)) {
      throw new InvalidCheckpointException(
          "%s has no %s, without which a run with lora.init=pissa cannot go on: begin anew."
              .formatted(checkpoint.location(), FirstFactors.FILE));
    }
    Map<String, Tensor> first = new LinkedHashMap<>();
    try (WeightReader factors = SafetensorsWeights.open(checkpoint, FirstFactors.FILE)) {
      for (String name : parameters.layout().names()) {
        try (TensorScope scope = new TensorScope()) {
          Tensor values = factors.read(name, DType.FP32, parameters.layout().shape(name));
          parameters.assign(name, values);
          if (ranks.rank() == 0) {
            first.put(name, scope.keep(values));
          }
        }
      }
    }
    parameters.publish();
    return ranks.rank() == 0 ? new FirstFactors(first) : null;
  }

  /**
   * {@code weights} without what the adapters have of them, whose values are the parameters' now. A
   * layer at a time is read, since the ranks bring its adapters together.
   */
  WeightReader residual(WeightReader weights) {
    return new Residual(weights);
  }

  private final class Residual implements WeightReader {
    private final WeightReader weights;

    Residual(WeightReader weights) {
      this.weights = weights;
    }

    @Override
    public Tensor read(String name, long first, long count, DType dtype) {
      throw new UnsupportedOperationException("rows are streamed");
    }

    @Override
    public void stream(List<WantedRows> wanted, Device device, LoadProgress progress) {
      List<WantedRows> others = new ArrayList<>(wanted);
      long done = 0;
      long total = bytes(wanted);
      for (int layer = 0; layer < layout.layers().size(); layer++) {
        Map<String, LinearModule> adapted = new LinkedHashMap<>();
        for (LinearModule module : layout.layers().get(layer).keySet()) {
          adapted.put(module.weightName(layer), module);
        }
        List<WantedRows> rows =
            others.stream().filter(some -> adapted.containsKey(some.name())).toList();
        others.removeAll(rows);
        if (!adapted.isEmpty()) {
          stream(layer, adapted, rows, device);
          done += bytes(rows);
          progress.advanced(done, total);
        }
      }
      weights.stream(others, device, LoadProgress.IGNORED);
      progress.advanced(total, total);
    }

    private static long bytes(List<WantedRows> rows) {
      return rows.stream().mapToLong(some -> some.count() * some.columns() * Float.BYTES).sum();
    }

    /** Also where this rank has no row of the layer: others ask for its part of the adapters. */
    private void stream(
        int layer, Map<String, LinearModule> adapted, List<WantedRows> rows, Device device) {
      try (TensorScope scope = new TensorScope()) {
        Tensor values = parameters.compute(parameters.use(layer, Parameters.NONE), layer);
        weights.stream(
            rows.stream().map(some -> left(some, adapted.get(some.name()), layer, values)).toList(),
            device,
            LoadProgress.IGNORED);
      }
    }

    private WantedRows left(WantedRows some, LinearModule module, int layer, Tensor values) {
      double scale = layout.layers().get(layer).get(module).scale();
      Tensor a = parameters.layout().inBucket(values, module.loraAName(layer));
      Tensor b = parameters.layout().inBucket(values, module.loraBName(layer));
      WantedRows.Sink sink =
          (row, given) -> {
            try (TensorScope scope = new TensorScope()) {
              Tensor own = b.narrow(0, some.first() + row, given.size(0));
              some.sink().accept(row, Pissa.residual(given, a, own, scale));
            }
          };
      return new WantedRows(some.name(), some.first(), some.count(), some.columns(), sink);
    }

    @Override
    public void close() {
      weights.close();
    }
  }
}
