package dev.anneal.training.model;

import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * The trained parameters that one piece of the model used, so that its gradients find their way.
 */
public final class Leaves {
  private final Parameters parameters;
  private final List<String> names = new ArrayList<>();
  private final List<Tensor> tensors = new ArrayList<>();

  public Leaves(Parameters parameters) {
    this.parameters = parameters;
  }

  /** The parameter {@code name} in the compute dtype, as a leaf of the graph to come. */
  public Tensor use(String name) {
    Tensor leaf = Tensors.leaf(parameters.compute(name));
    names.add(name);
    tensors.add(leaf);
    return leaf;
  }

  List<Tensor> tensors() {
    return tensors;
  }

  /** Adds {@code grads[from + i]} to the gradient of the {@code i}-th used parameter. */
  void accumulate(Tensor[] grads, int from) {
    for (int i = 0; i < names.size(); i++) {
      parameters.accumulate(names.get(i), grads[from + i]);
    }
  }
}
