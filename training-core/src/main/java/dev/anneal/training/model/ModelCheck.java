package dev.anneal.training.model;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.CheckpointIndex;
import dev.anneal.training.io.ModelFolder;
import java.io.IOException;

/** Finds out from headers alone, before weights are loaded, whether a model folder is usable. */
public final class ModelCheck {

  private ModelCheck() {}

  /**
   * Checks that {@code folder} holds a Llama's configuration and every weight of it, with the right
   * shape, in F32, F16 or BF16, in files of the length that their headers say.
   *
   * @return the model's shape
   * @throws InvalidModelException naming the first file or tensor that is not as it should be
   */
  public static LlamaConfig check(ModelFolder folder) throws IOException {
    LlamaConfig config = LlamaConfig.read(folder);
    try (CheckpointIndex index = CheckpointIndex.open(folder, CheckpointIndex.MODEL_FILE)) {
      index.open(index.names());
      for (String name : index.names()) {
        index.entry(name);
      }
      for (var tensor : TensorNames.shapes(config).entrySet()) {
        index.requireWeight(tensor.getKey(), tensor.getValue());
      }
    }
    return config;
  }
}
