package dev.anneal.training.weights.reader;

import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.model.config.ModelSource;

/** Opens the weights of a model, wherever they come from. */
public final class Weights {
  private Weights() {}

  public static WeightReader open(ModelSource source) {
    if (source instanceof ModelSource.Random random) {
      return new RandomWeights(random.config(), random.seed());
    }
    ModelSource.Folder folder = (ModelSource.Folder) source;
    return SafetensorsWeights.open(folder.folder(), SafetensorsIndex.MODEL_FILE);
  }
}
