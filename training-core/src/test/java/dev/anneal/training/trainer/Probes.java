package dev.anneal.training.trainer;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.training.Deviation;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Two numbers that stand for a tensor in a reference, as {@code bench/peft/full.py} makes them. */
final class Probes {
  private Probes() {}

  /** The larger deviation of the two, in parts of the tensor's norm. */
  static double deviation(Tensor tensor, JsonNode expected) {
    Tensor values = tensor.flatten().to(ScalarType.Double);
    double norm = expected.get("norm").asDouble();
    double probe = values.mul(cosines(values)).sum().item_double();
    return Math.max(
        Deviation.relative(values.norm().item_double(), norm),
        Math.abs(probe - expected.get("probe").asDouble()) / norm);
  }

  /** {@code cos(i)} of every index. */
  private static Tensor cosines(Tensor values) {
    Tensor ones = Tensors.ones(Device.CPU, ScalarType.Double, values.numel());
    return torch.sub(ones.cumsum(0), new Scalar(1.0)).cos();
  }
}
