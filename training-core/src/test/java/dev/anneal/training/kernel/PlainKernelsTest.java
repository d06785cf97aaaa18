package dev.anneal.training.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.anneal.training.Deviation;
import dev.anneal.training.InTensorScope;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Grads;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(InTensorScope.class)
class PlainKernelsTest {
  private static final double EXACT = 2e-6;

  private final Kernels kernels = new PlainKernels();

  @Test
  void rmsNormBackwardIsThatOfAutograd() {
    Tensor x = random(1, 5, 40);
    Tensor weight = random(2, 40);
    Tensor dOutput = random(3, 5, 40);
    Tensor dResidual = random(4, 5, 40);
    Tensor leaf = Tensors.leaf(x);
    Tensor expected = rmsNorm(leaf, weight, 1e-2);
    Tensor dX = gradient(expected, leaf, dOutput).add(dResidual);

    Kernels.Normed normed = kernels.rmsNorm(x, weight, 1e-2, Matmul.COMPUTE);
    assertThat(normed.output().quantized()).isNull();
    assertThat(Deviation.relative(normed.output().values(), expected.detach())).isLessThan(EXACT);
    assertThat(normed.rstd().size(0)).isEqualTo(5);
    kernels.rmsNormBackward(dOutput, x, normed.rstd(), weight, dResidual, null);
    assertThat(Deviation.relative(dOutput, dX)).isLessThan(EXACT);
  }

  @Test
  void addRmsNormAddsFirst() {
    Tensor x = random(1, 5, 40).to(ScalarType.BFloat16);
    Tensor delta = random(2, 5, 40).to(ScalarType.BFloat16);
    Tensor weight = random(3, 40).to(ScalarType.BFloat16);
    Tensor sum = x.add(delta);
    Kernels.Normed expected = kernels.rmsNorm(sum, weight, 1e-5, Matmul.FP8);
    Kernels.Normed found = kernels.addRmsNorm(x, delta, weight, 1e-5, Matmul.FP8);
    assertThat(delta.equal(sum)).isTrue();
    assertThat(found.output().values().equal(expected.output().values())).isTrue();
    assertThat(found.rstd().equal(expected.rstd())).isTrue();
    assertThat(bytes(found.output().quantized()).equal(bytes(expected.output().quantized())))
        .isTrue();
  }

  /** Five rows in two parts of three, which lie apart; the sixth pads. */
  @Test
  void gatherRowsReadsEachPartWhereItLies() {
    Tensor matrix = random(1, 6, 8);
    Tensor last = matrix.narrow(0, 3, 3).clone();
    Tensor first = matrix.narrow(0, 0, 3).clone();
    Tensor parts = Tensors.of(new long[] {first.data_ptr().address(), last.data_ptr().address()});
    Tensor output = random(2, 4, 8);
    kernels.gatherRows(parts, 3, Tensors.of(new long[] {4, 0, 2, 4}), 5, output);
    for (int row = 0; row < 4; row++) {
      int id = new int[] {4, 0, 2, 4}[row];
      assertThat(output.select(0, row).equal(matrix.select(0, id))).as("row %s", id).isTrue();
    }
    for (long id : new long[] {-1, 5, 6}) {
      assertThatThrownBy(
              () ->
                  kernels.gatherRows(
                      parts, 3, Tensors.of(new long[] {id}), 5, output.narrow(0, 0, 1)))
          .as("id %s of five rows", id)
          .hasMessageContaining("out of range");
    }
  }

  @Test
  void ropeRotatesHeadsOfAnyRowStrideAndBack() {
    Tensor joined = random(1, 5, 6 * 8);
    Tensor before = joined.clone();
    Tensor heads = joined.narrow(1, 0, 4 * 8).view(5, 4, 8);
    Tensor freqs = random(2, 5, 4);
    Tensor angles = Tensors.cat(-1, freqs.cos(), freqs.sin());
    kernels.rope(heads, angles);

    double[] x = doubles(before.select(0, 3));
    double[] y = doubles(joined.select(0, 3));
    double[] angle = doubles(freqs.select(0, 3));
    for (int i = 0; i < 4; i++) {
      // head 2: elements 16 to 24
      double cos = Math.cos(angle[i]);
      double sin = Math.sin(angle[i]);
      assertThat(y[16 + i]).isEqualTo(x[16 + i] * cos - x[20 + i] * sin, within(1e-6));
      assertThat(y[20 + i]).isEqualTo(x[20 + i] * cos + x[16 + i] * sin, within(1e-6));
    }
    assertThat(y[4 * 8]).isEqualTo(x[4 * 8]);

    // a rotation's inverse is its transpose, so the backward takes the rotated back
    Tensor rotated = joined.view(5, 6, 8);
    Rows back =
        kernels.ropeBackward(
            rotated.narrow(1, 0, 3).contiguous(),
            rotated.narrow(1, 3, 1).contiguous(),
            rotated.narrow(1, 4, 2).contiguous(),
            angles,
            null);
    assertThat(back.quantized()).isNull();
    assertThat(Deviation.absolute(back.values(), before)).isLessThan(1e-6);
  }

  @Test
  void swigluBackwardIsThatOfAutograd() {
    Tensor gateUp = random(1, 5, 2 * 24).mul(Tensors.scalar(4));
    Tensor dOutput = random(2, 5, 24);
    Tensor leaf = Tensors.leaf(gateUp);
    Tensor expected = torch.silu(leaf.narrow(1, 0, 24)).mul(leaf.narrow(1, 24, 24));
    Tensor gradient = gradient(expected, leaf, dOutput);

    assertThat(
            Deviation.relative(kernels.swiglu(gateUp, Matmul.COMPUTE).values(), expected.detach()))
        .isLessThan(EXACT);
    Rows backward = kernels.swigluBackward(dOutput, gateUp, null).dGateUp();
    assertThat(backward.values()).isSameAs(gateUp);
    assertThat(backward.quantized()).isNull();
    assertThat(Deviation.relative(gateUp, gradient)).isLessThan(EXACT);
    assertThat(Deviation.relative(dOutput, expected.detach())).isLessThan(EXACT);
  }

  @Test
  void crossEntropyIsThatOfAutograd() {
    Tensor logits = random(1, 5, 123).mul(Tensors.scalar(6));
    Tensor targets = Tensors.of(new long[] {0, 122, 7, 7, 60});
    Tensor leaf = Tensors.leaf(logits);
    Tensor expected = torch.log_softmax(leaf, 1).gather(1, targets.unsqueeze(1)).neg().squeeze(1);
    Tensor gradient = gradient(expected, leaf, Tensors.ones(Device.CPU, ScalarType.Float, 5));

    Tensor loss = kernels.crossEntropy(logits, targets);
    assertThat(Deviation.relative(loss, expected.detach())).isLessThan(EXACT);
    assertThat(Deviation.relative(logits, gradient)).isLessThan(EXACT);
  }

  @Test
  void roundsOnceFromFp32() {
    Tensor gateUp = random(1, 5, 2 * 24).mul(Tensors.scalar(4)).to(ScalarType.BFloat16);
    Tensor exact = kernels.swiglu(gateUp.to(ScalarType.Float), Matmul.COMPUTE).values();
    Tensor found = kernels.swiglu(gateUp, Matmul.COMPUTE).values();
    assertThat(found.equal(exact.to(ScalarType.BFloat16))).isTrue();
  }

  @Test
  void quantizesRowsToTheirLargestMagnitude() {
    Tensor x = random(1, 4, 40).to(ScalarType.BFloat16);
    x.select(0, 1).zero_();
    x.select(0, 2).fill_(Tensors.scalar(1e-38));
    Quantized quantized = kernels.quantize(x, null);
    double[] scale = doubles(quantized.scale());
    assertThat(quantized.scale().size(1)).isEqualTo(1);
    assertThat(scale[0]).isEqualTo(x.select(0, 0).abs().max().item_double() / 448, within(1e-9));
    assertThat(scale[1]).isEqualTo(1);
    assertThat(scale[2]).isEqualTo(1);
    Tensor restored = quantized.bytes().to(ScalarType.Float).mul(quantized.scale());
    // 3 mantissa bits: half a step is a sixteenth
    Tensor bound = x.to(ScalarType.Float).abs().div(Tensors.scalar(16)).add(quantized.scale());
    assertThat(restored.sub(x).abs().le(bound).all().item_bool()).isTrue();
    assertThat(quantized.bytes().to(ScalarType.Float).abs().max().item_double()).isEqualTo(448);
  }

  @Test
  void quantizesColumnsScaled() {
    Tensor x = random(1, 5, 40);
    Tensor columns = random(2, 40).abs();
    Quantized found = kernels.quantize(x, columns);
    Quantized expected = kernels.quantize(x.mul(columns), null);
    assertThat(bytes(found).equal(bytes(expected))).isTrue();
    assertThat(found.scale().equal(expected.scale())).isTrue();
  }

  @Test
  void fp8FormsAreThoseOfTheRoundedResult() {
    Tensor gateUp = random(1, 5, 2 * 24).to(ScalarType.BFloat16);
    assertForm(kernels.swiglu(gateUp, Matmul.FP8), null);
    Tensor columns = random(2, 48).abs();
    Tensor dOutput = random(3, 5, 24).to(ScalarType.BFloat16);
    assertForm(kernels.swigluBackward(dOutput, gateUp, columns).dGateUp(), columns);
    Tensor heads = random(4, 5, 2, 8).to(ScalarType.BFloat16);
    Tensor angles = random(5, 5, 8);
    Tensor headColumns = random(6, 48).abs();
    assertForm(kernels.ropeBackward(heads, heads, heads, angles, headColumns), headColumns);
  }

  private void assertForm(Rows rows, Tensor columnScale) {
    Quantized expected = kernels.quantize(rows.values(), columnScale);
    assertThat(bytes(rows.quantized()).equal(bytes(expected))).isTrue();
    assertThat(rows.quantized().scale().equal(expected.scale())).isTrue();
  }

  @Test
  void transposesIntoTheBuffersFirstBytes() {
    Tensor bytes = kernels.quantize(random(1, 5, 24), null).bytes();
    Tensor into = Tensors.empty(ScalarType.Byte, 200).fill_(Tensors.scalar(9));
    Tensor transposed = kernels.transpose(bytes, into);
    assertThat(transposed.scalar_type().intern()).isEqualTo(ScalarType.Float8_e4m3fn);
    assertThat(transposed.data_ptr()).isEqualTo(into.data_ptr());
    assertThat(transposed.size(0)).isEqualTo(24);
    assertThat(transposed.to(ScalarType.Float).equal(bytes.to(ScalarType.Float).t().contiguous()))
        .isTrue();
    assertThat(into.narrow(0, 120, 80).eq(Tensors.scalar(9)).all().item_bool()).isTrue();
  }

  @Test
  void adamWFollowsThePaperInDoubles() {
    double[] p = {0.5, -2, 3};
    double[] m = {0.1, -0.2, 0};
    double[] v = {0.01, 0.04, 0};
    double[] g = {0.6, -0.002, 8};
    Tensor parameter = Tensors.of(p).to(ScalarType.Float);
    Tensor first = Tensors.of(m).to(ScalarType.Float);
    Tensor second = Tensors.of(v).to(ScalarType.Float);
    Tensor compute = Tensors.empty(ScalarType.BFloat16, 3);
    Tensor half = Tensors.ones(Device.CPU, ScalarType.Float, 1).mul(Tensors.scalar(0.5));
    kernels.adamW(
        parameter,
        compute,
        first,
        second,
        Tensors.of(g).to(ScalarType.Float),
        half,
        new Kernels.AdamWStep(0.1, 0.01, 0.8, 0.95, 1e-3, 0.36, 0.0975));
    for (int i = 0; i < p.length; i++) {
      double gradient = g[i] / 2;
      m[i] = 0.8 * m[i] + 0.2 * gradient;
      v[i] = 0.95 * v[i] + 0.05 * gradient * gradient;
      p[i] -= 0.1 * 0.01 * p[i];
      p[i] -= 0.1 * (m[i] / 0.36) / (Math.sqrt(v[i] / 0.0975) + 1e-3);
    }
    assertThat(doubles(parameter)).containsExactly(p, within(1e-6));
    assertThat(doubles(first)).containsExactly(m, within(1e-6));
    assertThat(doubles(second)).containsExactly(v, within(1e-6));
    assertThat(compute.equal(parameter.to(ScalarType.BFloat16))).isTrue();
  }

  @Test
  void leavesNothingButItsResultsInTheScope() {
    Tensor x = random(1, 5, 40);
    Tensor weight = random(2, 40);
    long before = Pointer.totalCount();
    kernels.rmsNorm(x, weight, 1e-5, Matmul.FP8);
    // values, bytes, scale, rstd
    assertThat(Pointer.totalCount() - before).isEqualTo(4);
  }

  /** As the paper has it. */
  private static Tensor rmsNorm(Tensor x, Tensor weight, double eps) {
    Tensor square = x.mul(x).mean(new long[] {-1}, true, new ScalarTypeOptional());
    return weight.mul(x.div(square.add(Tensors.scalar(eps)).sqrt()));
  }

  private static Tensor gradient(Tensor output, Tensor input, Tensor dOutput) {
    return Grads.grad(output, List.of(input), dOutput)[0];
  }

  private static Tensor bytes(Quantized quantized) {
    return quantized.bytes().view(ScalarType.Byte);
  }

  private static double[] doubles(Tensor tensor) {
    return Tensors.doubles(tensor.to(ScalarType.Double).contiguous());
  }

  private static Tensor random(long seed, long... shape) {
    return Tensors.normal(Tensors.empty(ScalarType.Float, shape), 1, seed);
  }

  @Test
  void sumsOverTheWidestRowsLoseNoDigits() {
    // the vocabulary and the hidden size of Llama 3.1 405B
    Tensor logits = random(1, 64, 128_256);
    Tensor targets = Tensors.of(new long[64]);
    Tensor expected = logits.to(ScalarType.Double).log_softmax(1).select(1, 0).neg();
    assertThat(Deviation.relative(kernels.crossEntropy(logits, targets), expected))
        .isLessThan(1e-7);

    Tensor x = random(2, 64, 16_384);
    Tensor x64 = x.to(ScalarType.Double);
    Tensor rstd = x64.mul(x64).mean(new long[] {-1}, false, new ScalarTypeOptional()).rsqrt();
    Kernels.Normed normed =
        kernels.rmsNorm(x, Tensors.ones(Device.CPU, ScalarType.Float, 16_384), 0, Matmul.COMPUTE);
    assertThat(Deviation.relative(normed.rstd(), rstd)).isLessThan(1e-7);
  }
}
