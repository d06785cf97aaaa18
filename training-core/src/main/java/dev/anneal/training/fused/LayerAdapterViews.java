package dev.anneal.training.fused;

import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.FrozenLayers;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * The adapters of every layer as views of the flat parameters, in each place where they can be, and
 * one layer's gradients in the compute dtype, which the layers use one after the other. All views
 * are made once.
 */
final class LayerAdapterViews {
  private final Parameters parameters;

  /** Elements of every layer's adapters. */
  private final List<Long> numels = new ArrayList<>();

  private final Tensor gradient;

  /** Of every place every layer's. */
  private final List<List<Map<ModuleGroup, GroupAdapters>>> places = new ArrayList<>();

  /** In the current tensor scope. */
  LayerAdapterViews(LoraModel model) {
    this.parameters = model.parameters();
    for (List<Parameters.Shape> shapes : parameters.layout()) {
      numels.add(shapes.stream().mapToLong(Parameters.Shape::numel).sum());
    }
    this.gradient = Tensors.emptyLike(parameters.compute(0, 0), Collections.max(numels));
    GroupAdapters.Numbers numbers = GroupAdapters.Numbers.make();
    for (int place = 0; place < parameters.places(); place++) {
      List<Map<ModuleGroup, GroupAdapters>> layers = new ArrayList<>();
      for (int layer = 0; layer < model.config().numHiddenLayers(); layer++) {
        Tensor values = parameters.compute(place, layer);
        Map<ModuleGroup, GroupAdapters> groups = new EnumMap<>(ModuleGroup.class);
        for (ModuleGroup group : ModuleGroup.values()) {
          groups.put(group, group(model, layer, group, values, numbers));
        }
        layers.add(groups);
      }
      places.add(layers);
    }
  }

  /**
   * The layer's adapters for what the current stream does next; those of {@code next} come
   * meanwhile, where they are not there already.
   */
  Map<ModuleGroup, GroupAdapters> layer(int layer, int next) {
    int place = parameters.use(layer, next == FrozenLayers.NONE ? Parameters.NONE : next);
    return places.get(place).get(layer);
  }

  /** Adds the gradients that the layer's backward has written to the parameters'. */
  void accumulate(int layer) {
    parameters.accumulate(layer, gradient.narrow(0, 0, numels.get(layer)));
  }

  /**
   * @param values the layer's adapters, {@code [n]}
   */
  private GroupAdapters group(
      LoraModel model, int layer, ModuleGroup group, Tensor values, GroupAdapters.Numbers numbers) {
    LlamaConfig config = model.config();
    List<GroupAdapters.Factor> factors = new ArrayList<>();
    Map<LinearModule, LoraLayout.Adapter> adapters = model.layout().layers().get(layer);
    long column = 0;
    long low = 0;
    Tensor a = null;
    Tensor dA = null;
    for (LinearModule module : group.modules()) {
      LoraLayout.Adapter adapter = adapters.get(module);
      if (adapter != null) {
        if (a == null) {
          // the group's A matrices lie end to end
          long rows =
              group.modules().stream()
                  .filter(adapters::containsKey)
                  .mapToLong(adapted -> adapters.get(adapted).r())
                  .sum();
          long in = group.inFeatures(config);
          long offset = parameters.offsetInBucket(module.loraAName(layer));
          a = values.narrow(0, offset, rows * in).view(rows, in);
          dA = gradient.narrow(0, offset, rows * in).view(rows, in);
        }
        String name = module.loraBName(layer);
        Tensor b = parameters.inBucket(values, name);
        Tensor dB =
            gradient.narrow(0, parameters.offsetInBucket(name), b.numel()).view(Tensors.shape(b));
        factors.add(
            new GroupAdapters.Factor(b, b.t(), dB, column, low, Tensors.scalar(adapter.scale())));
        low += adapter.r();
      }
      column += module.outFeatures(config);
    }
    return new GroupAdapters(a, a == null ? null : a.t(), dA, factors, numbers);
  }
}
