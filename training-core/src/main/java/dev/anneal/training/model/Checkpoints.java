package dev.anneal.training.model;

import dev.anneal.training.tensor.TensorScope;
import org.bytedeco.pytorch.Tensor;

/** The inputs of the layers between a micro-batch's forward and its backward. */
interface Checkpoints extends AutoCloseable {
  /** Takes the input of {@code layer}; layers come in ascending order. */
  void save(int layer, Tensor x);

  /** The input of {@code layer} in the current tensor scope; layers go in descending order. */
  Tensor load(int layer);

  @Override
  void close();

  /** Where they were computed. */
  final class Resident implements Checkpoints {
    private final Tensor[] inputs;

    Resident(int layers) {
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
