package dev.anneal.training.model;

import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.optim.Parameters;
import java.util.OptionalInt;
import org.bytedeco.pytorch.Tensor;

/**
 * A Llama of which some weights train. Each accessor notes the trained parameters it hands out in
 * {@code leaves}. Bucket {@code i} of the parameters is what trains of layer {@code i}.
 */
public interface TrainableModel extends AutoCloseable {

  LlamaConfig config();

  Parameters parameters();

  /**
   * {@code [vocab_size, hidden_size]}, usable until the innermost tensor scope closes. Where it is
   * split over ranks this is a collective, as the layers are, and takes the memory of the whole.
   */
  Tensor embedTokens(Leaves leaves);

  /** Whether the embedding is a trained parameter. */
  default boolean trainsEmbedTokens() {
    return false;
  }

  /** Layer {@code index}, usable until the innermost tensor scope closes. */
  LlamaLayer layer(int index, Dropout dropout, Leaves leaves);

  /** The bucket whose gradient is complete after the backward of final norm and head. */
  default OptionalInt headBucket() {
    return OptionalInt.empty();
  }

  /** The bucket whose gradient is complete after the backward of the embedding, the last. */
  default OptionalInt embeddingBucket() {
    return OptionalInt.empty();
  }

  @Override
  default void close() {
    parameters().close();
  }

  /** The final norm's weight, {@code [hidden_size]}, whole on every rank. */
  Tensor norm(Leaves leaves);

  /**
   * For whoever is about to go through the last layer and to ask for {@link #lmHead} then: where
   * that is split over ranks it may come meanwhile, and this is a collective in its place. What
   * nobody has asked for is let go of when the innermost tensor scope closes.
   */
  default void expectLmHead() {}

  /** As {@link #embedTokens}, and the embedding itself where the two are tied. */
  Tensor lmHead(Leaves leaves);
}
