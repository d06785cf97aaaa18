package dev.anneal.training.model.activations;

import dev.anneal.training.model.LayerException;
import dev.anneal.training.model.LayerStack;
import dev.anneal.training.model.activations.KeptActivations.Inputs;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.timing.Timings;
import dev.anneal.training.weights.FrozenLayers;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;

/**
 * What stays of the forward of a micro-batch until its backward: of the first layers their inputs,
 * of the others all that their backward reads.
 */
public final class KeptForward implements AutoCloseable {
  private final LayerStack.Pass pass;
  private final int layers;
  private final int recomputed;
  private final KeptInputs inputs;
  private final Timings timings;
  private final Deque<LayerStack.Tape> tapes = new ArrayDeque<>();

  /**
   * @param layers of the model
   */
  public KeptForward(
      LayerStack.Pass pass,
      KeptActivations activations,
      int layers,
      Device device,
      Timings timings) {
    this.pass = pass;
    this.timings = timings;
    this.layers = layers;
    this.recomputed = Math.min(layers, activations.recomputedLayers());
    this.inputs =
        activations.inputs() == Inputs.ON_HOST
            ? new HostInputs(device, recomputed, timings)
            : new KeptInputs.OnDevice(recomputed);
  }

  /** A layer's output; layers come in ascending order. */
  public Tensor forward(int layer, Tensor input) {
    if (layer < recomputed) {
      Tensor output =
          timed(layer, "forward", () -> pass.forward(layer, above(layer, layers), input));
      inputs.save(layer, input);
      return output;
    }
    tapes.push(timed(layer, "forward", () -> pass.record(layer, above(layer, layers), input)));
    return tapes.peek().output();
  }

  /** The gradient of a layer's input; layers go in descending order. */
  public Tensor backward(int layer, Tensor dOutput) {
    if (layer < recomputed) {
      return recomputedBackward(layer, dOutput);
    }
    try (LayerStack.Tape tape = tapes.pop()) {
      return timed(layer, "backward", () -> tape.backward(below(layer), dOutput));
    }
  }

  private Tensor recomputedBackward(int layer, Tensor dOutput) {
    try (TensorScope scope = new TensorScope()) {
      Tensor input = inputs.load(layer);
      try (LayerStack.Tape tape =
          timed(layer, "recomputed forward", () -> pass.recompute(layer, below(layer), input))) {
        return scope.keep(timed(layer, "backward", () -> tape.backward(below(layer), dOutput)));
      }
    }
  }

  /** A layer's output, of which nothing is kept. */
  public static Tensor forward(LayerStack.Forward pass, int layer, int layers, Tensor input) {
    return naming(layer, "forward", () -> pass.forward(layer, above(layer, layers), input));
  }

  /** The layer after {@code layer} going forward. */
  private static int above(int layer, int layers) {
    return layer + 1 < layers ? layer + 1 : FrozenLayers.NONE;
  }

  /** The layer after {@code layer} going backward. */
  private static int below(int layer) {
    return layer > 0 ? layer - 1 : FrozenLayers.NONE;
  }

  private <T> T timed(int layer, String pass, Supplier<T> work) {
    try (Timings.Span span = timings.layer(pass, layer)) {
      return naming(layer, pass, work);
    }
  }

  private static <T> T naming(int layer, String pass, Supplier<T> work) {
    try {
      return work.get();
    } catch (LayerException e) {
      throw e;
    } catch (RuntimeException e) {
      throw new LayerException(layer, pass, e);
    }
  }

  @Override
  public void close() {
    tapes.forEach(LayerStack.Tape::close);
    inputs.close();
  }
}
