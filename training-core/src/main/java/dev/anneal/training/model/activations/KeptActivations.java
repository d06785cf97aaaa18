package dev.anneal.training.model.activations;

import java.io.Serializable;

/**
 * What layers keep of their forward for their backward. The first ones keep their input and are
 * computed again, the others keep everything; their backward comes first.
 *
 * @param recomputedLayers how many are computed again; more than there are: all
 * @param inputs where the inputs of those wait
 */
public record KeptActivations(int recomputedLayers, Inputs inputs) implements Serializable {
  /** Where the inputs of recomputed layers wait. */
  public enum Inputs {
    ON_DEVICE,
    /** in pinned memory */
    ON_HOST
  }

  /** Every layer keeps its input; the rest is computed again. */
  public static final KeptActivations INPUTS =
      new KeptActivations(Integer.MAX_VALUE, Inputs.ON_DEVICE);

  /** Every layer keeps its input, in pinned host memory. */
  public static final KeptActivations INPUTS_ON_HOST =
      new KeptActivations(Integer.MAX_VALUE, Inputs.ON_HOST);

  /** Every layer keeps everything. */
  public static final KeptActivations ALL = new KeptActivations(0, Inputs.ON_DEVICE);

  /** The same, with the first {@code layers} layers alone computed again. */
  public KeptActivations first(int layers) {
    return new KeptActivations(layers, inputs);
  }
}
