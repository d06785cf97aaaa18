package dev.anneal.training.model.config;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.Excerpt;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.io.SafetensorsIndex;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Finds out before weights are loaded, from headers and, where there is a head that should not be,
 * from that, whether a model folder is usable.
 */
public final class ModelCheck {

  /** So many tensors are named that nothing reads. */
  private static final int NAMED = 3;

  private ModelCheck() {}

  /**
   * A model folder that is usable.
   *
   * @param config the model's shape, as its weights have it
   * @param notes sentences on what the user may not expect of it
   */
  public record Checked(LlamaConfig config, List<String> notes) {
    public Checked {
      notes = List.copyOf(notes);
    }
  }

  /**
   * Checks that {@code folder} holds a Llama's configuration and every weight of it, with the right
   * shape, in F32, F16 or BF16, in files of the length that their headers say.
   *
   * @throws InvalidModelException naming the first file or tensor that is not as it should be
   */
  public static Checked check(ModelFolder folder) throws IOException {
    LlamaConfig said = LlamaConfig.read(folder);
    try (SafetensorsIndex index = SafetensorsIndex.open(folder, SafetensorsIndex.MODEL_FILE)) {
      index.open(index.names());
      for (String name : index.names()) {
        index.entry(name);
      }
      if (!said.tieWordEmbeddings() && !index.has(TensorNames.LM_HEAD)) {
        throw new InvalidModelException(
            "%s lacks tensor %s, and %s does not say that the head is the embedding: set tie_word_embeddings to true there if it is."
                .formatted(
                    index.where(TensorNames.LM_HEAD), TensorNames.LM_HEAD, LlamaConfig.FILE));
      }
      for (var tensor : TensorNames.shapes(said).entrySet()) {
        index.requireWeight(tensor.getKey(), tensor.getValue());
      }
      LlamaConfig config = TiedHead.resolve(said, index);
      List<String> notes = new ArrayList<>();
      if (config.tieWordEmbeddings() != said.tieWordEmbeddings()) {
        notes.add(
            "%s says tie_word_embeddings: true, but %s differs from %s: the head is not tied, as in transformers."
                .formatted(
                    folder.locationOf(LlamaConfig.FILE),
                    TensorNames.LM_HEAD,
                    TensorNames.EMBED_TOKENS));
      }
      unread(config, index, folder).ifPresent(notes::add);
      return new Checked(config, notes);
    }
  }

  /** Says which tensors are no part of the model; transformers, too, leaves them out. */
  private static Optional<String> unread(
      LlamaConfig config, SafetensorsIndex index, ModelFolder folder) {
    Set<String> read = TensorNames.shapes(config).keySet();
    List<String> unread =
        index.names().stream()
            .filter(name -> !read.contains(name))
            // the head of tied embeddings was found to be the embedding
            .filter(name -> !name.equals(TensorNames.LM_HEAD))
            .sorted()
            .toList();
    if (unread.isEmpty()) {
      return Optional.empty();
    }
    String named = unread.stream().limit(NAMED).map(Excerpt::of).collect(Collectors.joining(", "));
    return Optional.of(
        "%s %s of the weights in %s not read, as in transformers: %s%s."
            .formatted(
                unread.size(),
                unread.size() == 1 ? "tensor" : "tensors",
                folder.location() + (unread.size() == 1 ? " is" : " are"),
                named,
                unread.size() > NAMED ? " and %s more".formatted(unread.size() - NAMED) : ""));
  }
}
