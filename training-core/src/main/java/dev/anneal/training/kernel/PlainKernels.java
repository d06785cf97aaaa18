package dev.anneal.training.kernel;

import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.Arrays;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The kernels out of libtorch's own operators: slower than they could be, but on any device and in
 * any dtype. Whatever is rounded to the compute dtype is rounded once, from fp32, and the FP8 forms
 * are those of the rounded values.
 */
public final class PlainKernels implements Kernels {
  /** The largest e4m3 value. */
  static final double LARGEST = 448;

  /** Rows whose scale would be smaller count as rows of zeros: its reciprocal must be finite. */
  static final double SMALLEST_SCALE = 1e-37;

  @Override
  public Normed rmsNorm(Tensor x, Tensor weight, double eps, Matmul matmul) {
    try (TensorScope scope = new TensorScope()) {
      Tensor x32 = fp32(x);
      Tensor meanSquare = x32.mul(x32).mean(new long[] {-1}, true, new ScalarTypeOptional());
      Tensor rstd = meanSquare.add(Tensors.scalar(eps)).rsqrt();
      Tensor output = rounded(fp32(weight).mul(x32.mul(rstd)), x);
      return new Normed(rows(scope, output, null, matmul), scope.keep(rstd.squeeze(-1)));
    }
  }

  @Override
  public Normed addRmsNorm(Tensor x, Tensor delta, Tensor weight, double eps, Matmul matmul) {
    try (TensorScope scope = new TensorScope()) {
      delta.add_(x);
    }
    return rmsNorm(delta, weight, eps, matmul);
  }

  @Override
  public Rows rmsNormBackward(
      Tensor dOutput, Tensor x, Tensor rstd, Tensor weight, Tensor dResidual, Tensor columnScale) {
    try (TensorScope scope = new TensorScope()) {
      Tensor r = rstd.unsqueeze(-1);
      Tensor normed = fp32(x).mul(r);
      Tensor dNormed = fp32(dOutput).mul(fp32(weight));
      Tensor along = dNormed.mul(normed).mean(new long[] {-1}, true, new ScalarTypeOptional());
      Tensor dx = dNormed.sub(normed.mul(along)).mul(r);
      dOutput.copy_(dx.add(fp32(dResidual)));
      Quantized quantized = columnScale == null ? null : quantized(scope, dOutput, columnScale);
      return new Rows(dOutput, quantized);
    }
  }

  @Override
  public void rope(Tensor heads, Tensor angles) {
    try (TensorScope scope = new TensorScope()) {
      Tensor sin = sin(angles);
      heads.copy_(rotated(heads, cos(angles), sin));
    }
  }

  @Override
  public Rows ropeBackward(Tensor dQ, Tensor dK, Tensor dV, Tensor angles, Tensor columnScale) {
    try (TensorScope scope = new TensorScope()) {
      // the transpose of a rotation is the rotation by the opposite angle
      Tensor cos = cos(angles);
      Tensor minusSin = sin(angles).neg();
      Tensor joined =
          Tensors.cat(1, rotated(dQ, cos, minusSin), rotated(dK, cos, minusSin), fp32(dV));
      Tensor output = rounded(joined.flatten(1, 2), dQ);
      return rows(scope, output, columnScale, fp8If(columnScale));
    }
  }

  /** {@code [T, n, head_dim]} fp32. */
  private static Tensor rotated(Tensor heads, Tensor cos, Tensor sin) {
    long half = heads.size(2) / 2;
    Tensor first = fp32(heads.narrow(2, 0, half));
    Tensor second = fp32(heads.narrow(2, half, half));
    return Tensors.cat(2, first.mul(cos).sub(second.mul(sin)), second.mul(cos).add(first.mul(sin)));
  }

  private static Tensor cos(Tensor angles) {
    return angles.narrow(1, 0, angles.size(1) / 2).unsqueeze(1);
  }

  private static Tensor sin(Tensor angles) {
    long half = angles.size(1) / 2;
    return angles.narrow(1, half, half).unsqueeze(1);
  }

  @Override
  public Rows swiglu(Tensor gateUp, Matmul matmul) {
    try (TensorScope scope = new TensorScope()) {
      Tensor gate = gate(gateUp);
      Tensor output = gate.mul(gate.sigmoid()).mul(up(gateUp));
      return rows(scope, rounded(output, gateUp), null, matmul);
    }
  }

  @Override
  public SwigluGradient swigluBackward(Tensor dOutput, Tensor gateUp, Tensor columnScale) {
    try (TensorScope scope = new TensorScope()) {
      Tensor gate = gate(gateUp);
      Tensor up = up(gateUp);
      Tensor dy = fp32(dOutput);
      Tensor sigmoid = gate.sigmoid();
      Tensor silu = gate.mul(sigmoid);
      // silu' = sigmoid * (1 + gate * (1 - sigmoid)) = sigmoid + silu * (1 - sigmoid)
      Tensor slope = sigmoid.add(silu.mul(sigmoid.neg().add(Tensors.scalar(1))));
      Tensor dGate = dy.mul(up).mul(slope);
      Tensor dUp = dy.mul(silu);
      dOutput.copy_(silu.mul(up));
      gateUp.copy_(Tensors.cat(1, dGate, dUp));
      Quantized quantized = columnScale == null ? null : quantized(scope, gateUp, columnScale);
      return new SwigluGradient(new Rows(gateUp, quantized), dOutput);
    }
  }

  private static Tensor gate(Tensor gateUp) {
    return fp32(gateUp.narrow(1, 0, gateUp.size(1) / 2));
  }

  private static Tensor up(Tensor gateUp) {
    long width = gateUp.size(1) / 2;
    return fp32(gateUp.narrow(1, width, width));
  }

  @Override
  public Quantized quantize(Tensor x, Tensor columnScale) {
    try (TensorScope scope = new TensorScope()) {
      return quantized(scope, x, columnScale);
    }
  }

  @Override
  public Tensor transpose(Tensor bytes, Tensor into) {
    try (TensorScope scope = new TensorScope()) {
      long rows = bytes.size(0);
      long columns = bytes.size(1);
      Tensor target = Operand.viewOf(into, bytes, columns, rows);
      // not every libtorch copies FP8 with strides
      target.view(ScalarType.Byte).copy_(bytes.view(ScalarType.Byte).t());
      return scope.keep(target);
    }
  }

  @Override
  public Tensor crossEntropy(Tensor logits, Tensor targets) {
    try (TensorScope scope = new TensorScope()) {
      Tensor x = fp32(logits);
      Tensor index = targets.unsqueeze(1);
      Tensor logSum = x.logsumexp(new long[] {1}, true);
      Tensor loss = logSum.sub(x.gather(1, index)).squeeze(1);
      Tensor gradient = x.sub(logSum).exp_();
      gradient.scatter_(1, index, gradient.gather(1, index).sub(Tensors.scalar(1)));
      logits.copy_(gradient);
      return scope.keep(loss);
    }
  }

  @Override
  public void gatherRows(Tensor parts, long partRows, Tensor ids, long rows, Tensor output) {
    try (TensorScope scope = new TensorScope()) {
      ScalarType type = output.scalar_type();
      long width = output.size(1);
      long bytes = partRows * width * output.element_size();
      Device device = Device.of(output);
      Tensor[] all =
          Arrays.stream(Tensors.longs(parts.cpu()))
              .mapToObj(at -> Tensors.over(device, at, bytes).view(type).view(partRows, width))
              .toArray(Tensor[]::new);
      // without the rows that pad the last parts, so that an id of one is out of range
      output.copy_(Tensors.cat(0, all).narrow(0, 0, rows).index_select(0, ids));
    }
  }

  @Override
  public void adamW(
      Tensor parameter,
      Tensor compute,
      Tensor m,
      Tensor v,
      Tensor gradient,
      Tensor gradientScale,
      AdamWStep step) {
    try (TensorScope scope = new TensorScope()) {
      Tensor g = gradient.mul(gradientScale);
      parameter.mul_(Tensors.scalar(1 - step.learningRate() * step.weightDecay()));
      m.lerp_(g, Tensors.scalar(1 - step.beta1()));
      v.mul_(Tensors.scalar(step.beta2())).addcmul_(g, g, Tensors.scalar(1 - step.beta2()));
      Tensor denominator =
          v.sqrt()
              .div_(Tensors.scalar(Math.sqrt(step.correction2())))
              .add_(Tensors.scalar(step.eps()));
      Scalar rate = Tensors.scalar(-step.learningRate() / step.correction1());
      parameter.addcdiv_(m, denominator, rate);
      compute.copy_(parameter);
    }
  }

  private static Tensor fp32(Tensor x) {
    return x.to(ScalarType.Float);
  }

  private static Tensor rounded(Tensor x32, Tensor like) {
    return x32.to(like.scalar_type());
  }

  private static Matmul fp8If(Tensor columnScale) {
    return columnScale == null ? Matmul.COMPUTE : Matmul.FP8;
  }

  private static Rows rows(TensorScope scope, Tensor output, Tensor columnScale, Matmul matmul) {
    Quantized quantized =
        switch (matmul) {
          case COMPUTE -> null;
          case FP8 -> quantized(scope, output, columnScale);
        };
    return new Rows(scope.keep(output), quantized);
  }

  private static Quantized quantized(TensorScope scope, Tensor x, Tensor columnScale) {
    Tensor x32 = columnScale == null ? fp32(x) : fp32(x).mul(columnScale);
    // a product, for libtorch's GPU quotient by a constant is one too
    Tensor scale = x32.abs().amax(new long[] {-1}, true).mul(Tensors.scalar(1 / LARGEST));
    scale.masked_fill_(scale.lt(Tensors.scalar(SMALLEST_SCALE)), Tensors.scalar(1));
    // beyond the largest value libtorch's cast gives NaN
    Tensor bytes =
        x32.mul(scale.reciprocal())
            .clamp_(bound(-LARGEST), bound(LARGEST))
            .to(ScalarType.Float8_e4m3fn);
    return new Quantized(scope.keep(bytes), scope.keep(scale));
  }

  private static ScalarOptional bound(double value) {
    return new ScalarOptional(Tensors.scalar(value));
  }
}
