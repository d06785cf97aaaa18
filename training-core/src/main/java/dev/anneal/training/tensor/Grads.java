package dev.anneal.training.tensor;

import java.util.List;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** Reverse-mode differentiation of a piece of the model. */
public final class Grads {
  private Grads() {}

  /**
   * {@code dOutput^T * d output / d inputs}, and frees the graph behind {@code output}.
   *
   * @param output what was computed, any shape
   * @param inputs leaves that require gradients
   * @param dOutput the gradient of the loss with respect to {@code output}, of its shape
   * @return one gradient per input, of the input's shape and dtype
   */
  public static Tensor[] grad(Tensor output, List<Tensor> inputs, Tensor dOutput) {
    TensorVector outputs = new TensorVector(output);
    TensorVector leaves = new TensorVector(inputs.toArray(Tensor[]::new));
    TensorVector dOutputs = new TensorVector(dOutput);
    TensorVector grads =
        torch.grad(outputs, leaves, dOutputs, new BoolOptional(false), false, false);
    Tensor[] result = new Tensor[inputs.size()];
    for (int i = 0; i < result.length; i++) {
      // the vector's elements are borrowed: a tensor of our own outlives it
      result[i] = new Tensor(grads.get(i));
    }
    return result;
  }
}
