package dev.anneal.training;

import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.TensorScope;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** How far two tensors are apart. */
public final class Deviation {
  private Deviation() {}

  /** The largest absolute difference. */
  public static double absolute(Tensor found, Tensor expected) {
    try (TensorScope scope = new TensorScope()) {
      return found.sub(expected).abs().max().item_double();
    }
  }

  /** The L2 norm of the difference over that of what is expected. */
  public static double relative(Tensor found, Tensor expected) {
    try (TensorScope scope = new TensorScope()) {
      return found.sub(expected).norm().item_double() / expected.norm().item_double();
    }
  }

  /** The same of two numbers. */
  public static double relative(double found, double expected) {
    return Math.abs(found - expected) / Math.abs(expected);
  }

  /** The part of {@code flat}, laid out as {@code parameters} are, of each of them. */
  public static Map<String, Tensor> byName(Parameters parameters, Tensor flat) {
    Map<String, Tensor> parts = new LinkedHashMap<>();
    long offset = 0;
    for (String name : parameters.layout().names()) {
      long numel = Arrays.stream(parameters.layout().shape(name)).reduce(1, (a, b) -> a * b);
      parts.put(name, flat.narrow(0, offset, numel));
      offset += numel;
    }
    return parts;
  }
}
