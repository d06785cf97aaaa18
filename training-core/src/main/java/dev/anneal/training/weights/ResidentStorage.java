package dev.anneal.training.weights;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** Every layer whole in this rank's memory. */
final class ResidentStorage implements LayerStorage {
  private final List<Tensor> layers = new ArrayList<>();

  /** Reads all layers into the current tensor scope. */
  ResidentStorage(FlatLayerReader reader, int numHiddenLayers) {
    for (int layer = 0; layer < numHiddenLayers; layer++) {
      layers.add(reader.read(layer, 0, reader.layout().numel()));
    }
  }

  @Override
  public Tensor flat(int layer) {
    return layers.get(layer);
  }
}
