package dev.anneal.training.model.activations;

import dev.anneal.training.tensor.TensorScope;
import java.util.ArrayDeque;
import java.util.Deque;
import org.bytedeco.pytorch.Tensor;

/**
 * The inputs of layers that are computed again, between a micro-batch's forward and its backward.
 */
interface KeptInputs extends AutoCloseable {
  /** Takes the input of {@code layer}; layers come in ascending order. */
  void save(int layer, Tensor x);

  /** The last input that was saved and not loaded, in the current tensor scope. */
  Tensor load();

  @Override
  void close();

  /** Where they were computed. */
  final class OnDevice implements KeptInputs {
    private final Deque<Tensor> inputs = new ArrayDeque<>();

    @Override
    public void save(int layer, Tensor x) {
      inputs.push(TensorScope.own(x));
    }

    @Override
    public Tensor load() {
      try (Tensor last = inputs.pop()) {
        return new Tensor(last);
      }
    }

    @Override
    public void close() {
      inputs.forEach(Tensor::close);
    }
  }
}
