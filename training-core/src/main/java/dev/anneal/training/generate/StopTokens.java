package dev.anneal.training.generate;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.JsonObject;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelSource;
import java.io.IOException;
import java.util.HashSet;
import java.util.Set;

/** The tokens with which a model says that a text or a turn is over. */
public final class StopTokens {
  private static final String FILE = "generation_config.json";

  private StopTokens() {}

  /**
   * {@code eos_token_id} of {@code config.json} and, if it is there, {@code
   * generation_config.json}.
   *
   * @param config the model's, as read
   * @throws InvalidModelException if {@code generation_config.json} is no JSON object or its ids
   *     are none
   */
  public static Set<Integer> of(ModelSource model, LlamaConfig config) throws IOException {
    Set<Integer> ids = new HashSet<>(config.eosTokenIds());
    if (model instanceof ModelSource.Folder source && source.folder().has(FILE)) {
      ids.addAll(JsonObject.read(source.folder(), FILE).intNumbers("eos_token_id"));
    }
    return ids;
  }
}
