package dev.anneal.training;

import dev.anneal.training.model.activations.KeptActivations;
import java.util.List;
import java.util.stream.Stream;

/** What layers may keep of their forward: a source of arguments. */
public final class KeptOfForward {
  private KeptOfForward() {}

  /** All layers alike, and the first one or two other than those above. */
  public static Stream<KeptActivations> activations() {
    return Stream.concat(
        alike().stream(),
        Stream.of(
            KeptActivations.INPUTS.first(1),
            KeptActivations.INPUTS.first(2),
            KeptActivations.INPUTS_ON_HOST.first(1),
            KeptActivations.INPUTS_ON_HOST.first(2)));
  }

  /** All layers alike. */
  public static List<KeptActivations> alike() {
    return List.of(KeptActivations.INPUTS, KeptActivations.INPUTS_ON_HOST, KeptActivations.ALL);
  }
}
