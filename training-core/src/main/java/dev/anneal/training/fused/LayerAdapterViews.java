package dev.anneal.training.fused;

import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.LlamaConfig;
import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * The adapters of every layer as views of the flat parameters, and one layer's gradients in the
 * compute dtype, which the layers use one after the other.
 */
final class LayerAdapterViews {
  private final Parameters parameters;
  private final Tensor gradient;
  private final List<Map<ModuleGroup, GroupAdapters>> layers = new ArrayList<>();

  /** In the current tensor scope. */
  LayerAdapterViews(LoraModel model) {
    this.parameters = model.parameters();
    this.gradient =
        Tensors.emptyLike(parameters.bucketCompute(0), parameters.bucketCompute(0).numel()).zero_();
    GroupAdapters.Numbers numbers = GroupAdapters.Numbers.of(model.spec().scale());
    for (int layer = 0; layer < model.config().numHiddenLayers(); layer++) {
      Map<ModuleGroup, GroupAdapters> groups = new EnumMap<>(ModuleGroup.class);
      for (ModuleGroup group : ModuleGroup.values()) {
        groups.put(group, group(model, layer, group, numbers));
      }
      layers.add(groups);
    }
  }

  Map<ModuleGroup, GroupAdapters> layer(int layer) {
    parameters.awaitCompute(layer);
    return layers.get(layer);
  }

  /** Adds the gradients that the layer's backward has written to the parameters'. */
  void accumulate(int layer) {
    parameters.bucketGradient(layer).add_(gradient);
  }

  private GroupAdapters group(
      LoraModel model, int layer, ModuleGroup group, GroupAdapters.Numbers numbers) {
    LlamaConfig config = model.config();
    List<GroupAdapters.Factor> factors = new ArrayList<>();
    long r = model.spec().r();
    long column = 0;
    Tensor a = null;
    Tensor dA = null;
    for (LinearModule module : group.modules()) {
      if (model.targets().contains(module)) {
        if (a == null) {
          // the group's A matrices lie end to end
          long rows = r * group.modules().stream().filter(model.targets()::contains).count();
          long in = group.inFeatures(config);
          long offset = parameters.offsetInBucket(module.loraAName(layer));
          a = parameters.bucketCompute(layer).narrow(0, offset, rows * in).view(rows, in);
          dA = gradient.narrow(0, offset, rows * in).view(rows, in);
        }
        String name = module.loraBName(layer);
        Tensor b = parameters.compute(name);
        Tensor dB =
            gradient.narrow(0, parameters.offsetInBucket(name), b.numel()).view(Tensors.shape(b));
        factors.add(new GroupAdapters.Factor(b, b.t(), dB, column, r * factors.size()));
      }
      column += module.outFeatures(config);
    }
    return new GroupAdapters(a, a == null ? null : a.t(), dA, factors, numbers);
  }
}
