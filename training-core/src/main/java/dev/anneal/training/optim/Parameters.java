package dev.anneal.training.optim;

import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * All trained weights as one flat fp32 vector with one flat fp32 gradient beside it, so that a
 * reduction, a norm or an optimizer step is a handful of calls whatever the model. Models compute
 * with views: of the vector itself in fp32, else of a copy in the compute dtype.
 */
public final class Parameters {

  /** Name and shape of one parameter. */
  public record Shape(String name, long... dims) {
    long numel() {
      long n = 1;
      for (long dim : dims) {
        n *= dim;
      }
      return n;
    }
  }

  private record Slot(long offset, Shape shape) {}

  private final Map<String, Slot> slots = new LinkedHashMap<>();
  private final Tensor master;
  private final Tensor gradient;
  private final Tensor compute;
  private final DType computeDtype;

  /** Zeroed parameters of {@code shapes}, in their order, in the current tensor scope. */
  public Parameters(List<Shape> shapes, DType computeDtype) {
    this.computeDtype = computeDtype;
    long total = 0;
    for (Shape shape : shapes) {
      slots.put(shape.name(), new Slot(total, shape));
      total += shape.numel();
    }
    master = Tensors.zeros(ScalarType.Float, total);
    gradient = Tensors.zeros(ScalarType.Float, total);
    compute = computeDtype == DType.FP32 ? master : Tensors.zeros(computeDtype.scalarType(), total);
  }

  /** The fp32 values, {@code [n]}. */
  public Tensor master() {
    return master;
  }

  /** The fp32 gradient that is accumulated so far, {@code [n]}. */
  public Tensor gradient() {
    return gradient;
  }

  /** Names in the order of the flat vector. */
  public List<String> names() {
    return new ArrayList<>(slots.keySet());
  }

  /** Shape of the parameter {@code name}. */
  public long[] shape(String name) {
    return slots.get(name).shape().dims();
  }

  /** The fp32 values of {@code name} in its shape; writing to it writes the parameter. */
  public Tensor master(String name) {
    return view(master, name);
  }

  /** The values of {@code name} in the compute dtype, in its shape. */
  public Tensor compute(String name) {
    return view(compute, name);
  }

  /** Adds {@code dParameter}, of the parameter's shape and any dtype, to its gradient. */
  public void accumulate(String name, Tensor dParameter) {
    view(gradient, name).add_(dParameter);
  }

  /** Makes what the model computes with follow the fp32 values. */
  public void publish() {
    if (computeDtype != DType.FP32) {
      try (TensorScope scope = new TensorScope();
          NoGrad noGrad = new NoGrad()) {
        compute.copy_(master);
      }
    }
  }

  private Tensor view(Tensor flat, String name) {
    Slot slot = slots.get(name);
    return flat.narrow(0, slot.offset(), slot.shape().numel()).view(slot.shape().dims());
  }
}
