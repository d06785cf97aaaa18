package dev.anneal.training.fused;

import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.product.Matrix;
import dev.anneal.training.product.Products;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.FrozenLayer;
import dev.anneal.training.weights.FrozenLayers;
import dev.anneal.training.weights.Placement;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The linear modules of every layer: frozen weights and adapters, wherever they are at a time. */
final class LoraLinears {
  private final LoraModel model;
  private final LoraLinear.Shared shared;

  /** The adapters of every layer in each place where they can be, which never move. */
  private final List<List<Map<ModuleGroup, LoraLinear.Adapters>>> places = new ArrayList<>();

  /**
   * In the current tensor scope.
   *
   * @throws IllegalArgumentException if products are to be in FP8 of other weights, or columns are
   *     to be kept of weights that do not stay where they are
   */
  LoraLinears(LoraModel model, Kernels kernels, Products products, FusedLlama.Settings settings) {
    this.model = model;
    this.shared = shared(model, kernels, products, settings);
    Parameters parameters = model.parameters();
    for (int place = 0; place < parameters.places(); place++) {
      List<Map<ModuleGroup, LoraLinear.Adapters>> layers = new ArrayList<>();
      for (int layer = 0; layer < model.config().numHiddenLayers(); layer++) {
        Tensor values = parameters.compute(place, layer);
        Map<ModuleGroup, LoraLinear.Adapters> groups = new EnumMap<>(ModuleGroup.class);
        for (ModuleGroup group : ModuleGroup.values()) {
          groups.put(group, adapters(layer, group, values));
        }
        layers.add(groups);
      }
      places.add(layers);
    }
  }

  private static LoraLinear.Shared shared(
      LoraModel model, Kernels kernels, Products products, FusedLlama.Settings settings) {
    boolean isFp8 = settings.matmul() == Matmul.FP8;
    Placement placement = model.decoder().placement();
    if (isFp8 && placement.stored() != DType.FP8) {
      throw new IllegalArgumentException("products in FP8 are of weights that are held in it");
    }
    boolean keeps = isFp8 && settings.columns() == FusedLlama.Columns.KEPT;
    if (keeps && !placement.areWhole()) {
      throw new IllegalArgumentException(
          "columns can be kept of weights that lie whole on the GPU alone");
    }
    LlamaConfig config = model.config();
    long room =
        keeps
            ? WeightColumns.all(config, FrozenLayers.inner(config, placement.exactEdges()))
            : WeightColumns.largest(config);
    long widest = 0;
    for (ModuleGroup group : ModuleGroup.values()) {
      widest = Math.max(widest, group.inFeatures(config));
    }
    Tensor ones = Tensors.emptyLike(model.norm(), ScalarType.Float, isFp8 ? widest : 0);
    return new LoraLinear.Shared(
        settings.matmul(),
        kernels,
        products,
        new WeightColumns(kernels, model.norm(), isFp8 ? room : 0, keeps),
        ones.fill_(Tensors.scalar(1)));
  }

  /**
   * A layer's modules for what the current stream does next.
   *
   * @param next the layer whose adapters come meanwhile, where they are not there already
   * @param frozen the layer's frozen weights
   */
  Map<ModuleGroup, LoraLinear> layer(int layer, int next, FrozenLayer frozen) {
    int place = model.parameters().use(layer, next == FrozenLayers.NONE ? Parameters.NONE : next);
    shared.products().useCurrentStream();
    Map<ModuleGroup, LoraLinear> linears = new EnumMap<>(ModuleGroup.class);
    places
        .get(place)
        .get(layer)
        .forEach(
            (group, adapters) ->
                linears.put(group, new LoraLinear(shared, frozen.matrices().get(group), adapters)));
    return linears;
  }

  /** The fp32 gradient of a layer's adapters, {@code [n]}, to be added to. */
  Tensor gradient(int layer) {
    return model.parameters().gradient(layer);
  }

  /**
   * @param values the layer's adapters, {@code [n]}
   */
  private LoraLinear.Adapters adapters(int layer, ModuleGroup group, Tensor values) {
    Parameters parameters = model.parameters();
    Map<LinearModule, LoraLayout.Adapter> adapted = model.layout().layers().get(layer);
    List<LoraLinear.Adapter> each = new ArrayList<>();
    long column = 0;
    long low = 0;
    long beginOfA = 0;
    for (LinearModule module : group.modules()) {
      long out = module.outFeatures(model.config());
      LoraLayout.Adapter adapter = adapted.get(module);
      if (adapter != null) {
        if (each.isEmpty()) {
          // the group's A matrices lie end to end
          beginOfA = parameters.layout().offsetInBucket(module.loraAName(layer));
        }
        long beginOfB = parameters.layout().offsetInBucket(module.loraBName(layer));
        Matrix b = Matrix.at(values, beginOfB, out, adapter.r());
        each.add(new LoraLinear.Adapter(b, beginOfB, column, low, adapter.scale()));
        low += adapter.r();
      }
      column += out;
    }
    Matrix a = Matrix.at(values, beginOfA, low, group.inFeatures(model.config()));
    return new LoraLinear.Adapters(a, beginOfA, List.copyOf(each));
  }
}
