package dev.anneal.training.model.config;

import dev.anneal.training.io.ModelFolder;
import java.io.IOException;

/** Where a model's weights come from. */
public sealed interface ModelSource {

  /**
   * The model's shape. Of a folder it is what {@code config.json} says, but for a head that is not
   * the embedding although it is said to be, see {@link TiedHead}: that reads weights.
   */
  LlamaConfig config() throws IOException;

  /** The weights of a Hugging Face model folder. */
  record Folder(ModelFolder folder) implements ModelSource {
    @Override
    public LlamaConfig config() throws IOException {
      return TiedHead.resolve(LlamaConfig.read(folder), folder);
    }
  }

  /** Random weights, the same for the same seed. */
  record Random(LlamaConfig config, long seed) implements ModelSource {}
}
