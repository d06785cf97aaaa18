package dev.anneal.training;

import dev.anneal.training.model.Llama.Activations;
import java.util.List;
import java.util.stream.Stream;

/** What layers may keep of their forward: a source of arguments. */
public final class KeptOfForward {
  private KeptOfForward() {}

  /** All layers alike, and the first one or two other than those above. */
  public static Stream<Activations> activations() {
    return Stream.concat(
        alike().stream(),
        Stream.of(
            Activations.CHECKPOINT.first(1),
            Activations.CHECKPOINT.first(2),
            Activations.CHECKPOINT_ON_HOST.first(1),
            Activations.CHECKPOINT_ON_HOST.first(2)));
  }

  /** All layers alike. */
  public static List<Activations> alike() {
    return List.of(Activations.CHECKPOINT, Activations.CHECKPOINT_ON_HOST, Activations.KEEP);
  }
}
