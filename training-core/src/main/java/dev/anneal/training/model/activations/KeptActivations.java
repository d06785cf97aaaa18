package dev.anneal.training.model.activations;

import java.io.Serializable;

/**
 * What layers keep of their forward for their backward. Some keep everything in host memory, spread
 * evenly over all layers, so that the copies of one go on beside the others' computation. Of the
 * others the first ones keep their input and are computed again, the rest keep everything where it
 * is; their backward comes first.
 *
 * @param recomputedLayers how many are computed again; more than there are: all that do not keep
 *     everything in host memory
 * @param hostLayers how many keep everything in pinned host memory, two of them at a time still or
 *     already on the device; more than there are: all
 * @param inputs where the inputs of those that are computed again wait
 */
public record KeptActivations(int recomputedLayers, int hostLayers, Inputs inputs)
    implements Serializable {
  /** Where the inputs of recomputed layers wait. */
  public enum Inputs {
    ON_DEVICE,
    /** in pinned memory */
    ON_HOST
  }

  /** What a layer keeps. */
  public enum Kept {
    /** its input: it is computed again */
    INPUT,
    ALL,
    ALL_ON_HOST
  }

  /** Every layer keeps its input; the rest is computed again. */
  public static final KeptActivations INPUTS =
      new KeptActivations(Integer.MAX_VALUE, 0, Inputs.ON_DEVICE);

  /** Every layer keeps its input, in pinned host memory. */
  public static final KeptActivations INPUTS_ON_HOST =
      new KeptActivations(Integer.MAX_VALUE, 0, Inputs.ON_HOST);

  /** Every layer keeps everything. */
  public static final KeptActivations ALL = new KeptActivations(0, 0, Inputs.ON_DEVICE);

  /** The same, with the first {@code layers} layers alone computed again. */
  public KeptActivations first(int layers) {
    return new KeptActivations(layers, hostLayers, inputs);
  }

  /** The same, with {@code layers} layers that keep everything in host memory. */
  public KeptActivations onHost(int layers) {
    return new KeptActivations(recomputedLayers, layers, inputs);
  }

  /** The same, with the inputs of layers computed again elsewhere. */
  public KeptActivations with(Inputs elsewhere) {
    return new KeptActivations(recomputedLayers, hostLayers, elsewhere);
  }

  /** What {@code layer} of {@code layers} keeps. */
  public Kept of(int layer, int layers) {
    int onHost = onHostBelow(layer, layers);
    if (onHostBelow(layer + 1, layers) > onHost) {
      return Kept.ALL_ON_HOST;
    }
    return layer - onHost < recomputedLayers ? Kept.INPUT : Kept.ALL;
  }

  /** Each is the first of its share of the layers, so that its copy has the others to hide in. */
  private int onHostBelow(int layer, int layers) {
    return Math.toIntExact(((long) layer * host(layers) + layers - 1) / layers);
  }

  /** How many of {@code layers} layers keep everything in host memory. */
  public int host(int layers) {
    return Math.min(layers, hostLayers);
  }

  /** How many of these are copied there: the last ones would be needed back at once, and stay. */
  public int copied(int layers) {
    return Math.max(0, host(layers) - HostLayers.ON_DEVICE);
  }

  /** How many of {@code layers} layers are computed again. */
  public int recomputed(int layers) {
    return Math.min(layers - host(layers), recomputedLayers);
  }

  /** How many of {@code layers} layers keep everything where it is. */
  public int keeping(int layers) {
    return layers - host(layers) - recomputed(layers);
  }
}
