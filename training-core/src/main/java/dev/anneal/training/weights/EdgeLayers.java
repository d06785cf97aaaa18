package dev.anneal.training.weights;

import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.LayerLayout.Part;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * Layers at either end of a model, which are held in the compute dtype whole on the device, where
 * the layers between them are in FP8: rounding the first and the last costs most of what FP8 costs.
 * Megatron has the same as {@code --first-last-layers-bf16}.
 */
final class EdgeLayers {
  private final LayerLayout layout;
  private final Map<Integer, List<Tensor>> matrices = new HashMap<>();

  /** Unwritten, in the current tensor scope. */
  EdgeLayers(LlamaConfig config, Placement placement) {
    layout = LayerLayout.of(config, placement.compute(), 1, 0, 0);
    int layers = config.numHiddenLayers();
    Device device = placement.device();
    for (int layer = 0; layer < layers; layer++) {
      if (has(layer, layers, placement.exactEdges())) {
        List<Tensor> ofLayer = new ArrayList<>();
        for (Part part : layout.parts()) {
          ofLayer.add(
              Tensors.empty(device, placement.compute().scalarType(), part.rows(), part.columns()));
        }
        matrices.put(layer, ofLayer);
      }
    }
  }

  private static boolean has(int layer, int layers, int edges) {
    return layer < edges || layer >= layers - edges;
  }

  boolean has(int layer) {
    return matrices.containsKey(layer);
  }

  /** How their matrices lie. */
  List<Part> parts() {
    return layout.parts();
  }

  /** A layer's matrices, {@code [out, in]} each, in the order of {@link #parts}. */
  List<Tensor> matrices(int layer) {
    return matrices.get(layer);
  }

  /**
   * Stores rows of a matrix.
   *
   * @param values {@code [n, columns]} of any floating-point dtype
   */
  void write(int layer, Part part, long row, Tensor values) {
    matrices(layer).get(layout.parts().indexOf(part)).narrow(0, row, values.size(0)).copy_(values);
  }

  /** What so many layers at each end take of the device, but for their norms. */
  static long bytes(LlamaConfig config, int edges, long elementBytes) {
    return 2L * edges * ModuleGroup.elementsOfLayer(config) * elementBytes;
  }
}
