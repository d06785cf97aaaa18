package dev.anneal.training.model.activations;

import dev.anneal.training.tensor.TensorScope;
import org.bytedeco.pytorch.Tensor;

/** The inputs of the layers between a micro-batch's forward and its backward. */
interface KeptInputs extends AutoCloseable {
  /** Takes the input of {@code layer}; layers come in ascending order. */
  void save(int layer, Tensor x);

  /** The input of {@code layer} in the current tensor scope; layers go in descending order. */
  Tensor load(int layer);

  @Override
  void close();

  /** Where they were computed. */
  final class OnDevice implements KeptInputs {
    private final Tensor[] inputs;

    OnDevice(int layers) {
      inputs = new Tensor[layers];
    }

    @Override
    public void save(int layer, Tensor x) {
      inputs[layer] = TensorScope.own(x);
    }

    @Override
    public Tensor load(int layer) {
      Tensor x = new Tensor(inputs[layer]);
      inputs[layer].close();
      inputs[layer] = null;
      return x;
    }

    @Override
    public void close() {
      for (Tensor input : inputs) {
        if (input != null) {
          input.close();
        }
      }
    }
  }
}
