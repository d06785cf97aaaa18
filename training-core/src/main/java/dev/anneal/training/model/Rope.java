package dev.anneal.training.model;

import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.RopeScaling;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Rotary position embedding (<a href="https://arxiv.org/abs/2104.09864">Su et al. 2021</a>) at the
 * positions of one micro-batch, in Hugging Face's layout: the halves of a head are rotated against
 * each other.
 *
 * @param cos {@code [T, 1, head_dim]} in the compute dtype
 * @param sin likewise
 */
public record Rope(Tensor cos, Tensor sin) {

  /**
   * @param positions {@code [T]} int64, the position of every token within its row
   * @param frequencies as {@link #frequencies} gives them
   */
  static Rope at(Tensor positions, Tensor frequencies, DType dtype) {
    Tensor freqs = angles(positions, frequencies);
    Tensor angles = Tensors.cat(-1, freqs, freqs).unsqueeze(1);
    return new Rope(angles.cos().to(dtype.scalarType()), angles.sin().to(dtype.scalarType()));
  }

  /** {@code [T, head_dim / 2]} fp32 radians, without waiting for the device. */
  public static Tensor angles(Tensor positions, Tensor frequencies) {
    return positions.to(ScalarType.Float).unsqueeze(1).mul(frequencies.unsqueeze(0));
  }

  /**
   * {@code [head_dim / 2]} fp32 radians a position, on {@code device}, in the current tensor scope.
   * A copy from ordinary memory waits for all that a GPU was given, so a model makes them once.
   */
  public static Tensor frequencies(LlamaConfig config, Device device) {
    return Tensors.to(device, tensor(inverseFrequencies(config)));
  }

  /**
   * @param x {@code [T, heads, head_dim]}
   */
  Tensor rotate(Tensor x) {
    long half = x.size(2) / 2;
    Tensor rotated = Tensors.cat(-1, x.narrow(2, half, half).neg(), x.narrow(2, 0, half));
    return x.mul(cos).add(rotated.mul(sin));
  }

  /**
   * {@code [head_dim / 2]}, scaled as Llama 3.1 was trained: long wavelengths are stretched by
   * {@code factor}, short ones kept, those between interpolated. In fp32, as Hugging Face does.
   */
  static float[] inverseFrequencies(LlamaConfig config) {
    int dim = config.headDim();
    float[] inverse = new float[dim / 2];
    for (int i = 0; i < inverse.length; i++) {
      float exponent = (float) (2 * i) / dim;
      inverse[i] = 1.0f / (float) Math.pow(config.ropeTheta(), exponent);
      if (config.ropeScaling() != null) {
        inverse[i] = scaled(inverse[i], config.ropeScaling());
      }
    }
    return inverse;
  }

  private static float scaled(float frequency, RopeScaling scaling) {
    double original = scaling.originalMaxPositionEmbeddings();
    double wavelength = 2 * Math.PI / frequency;
    if (wavelength < original / scaling.highFreqFactor()) {
      return frequency;
    }
    double stretched = frequency / scaling.factor();
    if (wavelength > original / scaling.lowFreqFactor()) {
      return (float) stretched;
    }
    double smooth =
        (original / wavelength - scaling.lowFreqFactor())
            / (scaling.highFreqFactor() - scaling.lowFreqFactor());
    return (float) ((1 - smooth) * stretched + smooth * frequency);
  }

  private static Tensor tensor(float[] values) {
    Tensor tensor = Tensors.empty(ScalarType.Float, values.length);
    new FloatPointer(tensor.data_ptr()).put(values);
    return tensor;
  }
}
