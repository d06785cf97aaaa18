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
 * What stays of the forward of a micro-batch until its backward: of some layers their inputs, of
 * the others all that their backward reads, here or on the host.
 */
public final class KeptForward implements AutoCloseable {
  private final LayerStack.Pass pass;
  private final KeptActivations activations;
  private final int layers;
  private final KeptInputs inputs;
  private final HostLayers onHost;
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
    this.activations = activations;
    this.layers = layers;
    this.inputs =
        activations.inputs() == Inputs.ON_HOST
            ? new HostInputs(device, activations.recomputed(layers), timings)
            : new KeptInputs.OnDevice();
    this.onHost = new HostLayers(device, activations.host(layers), timings);
  }

  /** A layer's output; layers come in ascending order. */
  public Tensor forward(int layer, Tensor input) {
    return switch (activations.of(layer, layers)) {
      case INPUT -> {
        Tensor output =
            timed(layer, "forward", () -> pass.forward(layer, above(layer, layers), input));
        inputs.save(layer, input);
        yield output;
      }
      case ALL -> {
        LayerStack.Tape tape = record(layer, input);
        tapes.push(tape);
        yield tape.output();
      }
      case ALL_ON_HOST -> {
        onHost.makeRoom();
        LayerStack.Tape tape = record(layer, input);
        onHost.save(layer, tape);
        yield tape.output();
      }
    };
  }

  private LayerStack.Tape record(int layer, Tensor input) {
    return timed(layer, "forward", () -> pass.record(layer, above(layer, layers), input));
  }

  /** The gradient of a layer's input; layers go in descending order. */
  public Tensor backward(int layer, Tensor dOutput) {
    return switch (activations.of(layer, layers)) {
      case INPUT -> recomputedBackward(layer, dOutput);
      case ALL -> backward(layer, tapes.pop(), dOutput);
      case ALL_ON_HOST -> {
        Tensor dInput = backward(layer, onHost.load(), dOutput);
        onHost.fetchNext();
        yield dInput;
      }
    };
  }

  private Tensor backward(int layer, LayerStack.Tape tape, Tensor dOutput) {
    try (tape) {
      return timed(layer, "backward", () -> tape.backward(below(layer), dOutput));
    }
  }

  private Tensor recomputedBackward(int layer, Tensor dOutput) {
    try (TensorScope scope = new TensorScope()) {
      Tensor input = inputs.load();
      LayerStack.Tape tape =
          timed(layer, "recomputed forward", () -> pass.recompute(layer, below(layer), input));
      return scope.keep(backward(layer, tape, dOutput));
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
    onHost.close();
    inputs.close();
  }
}
