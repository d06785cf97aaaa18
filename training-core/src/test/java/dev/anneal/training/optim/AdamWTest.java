package dev.anneal.training.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.anneal.training.Deviation;
import dev.anneal.training.TinyModels;
import dev.anneal.training.kernel.PlainKernels;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class AdamWTest {
  /** Of the adapter with r=8 on all layers of Llama 3.1 8B. */
  private static final long ADAPTER = 20_971_520;

  private static final AdamWSpec SPEC = new AdamWSpec(1, 0.1, 0.8, 0.95, 1e-3);
  private static final double[] START = {0.5, -2, 3, 0};
  private static final double[][] GRADIENTS = {
    {0.3, -0.001, 4, 0}, {-0.2, 0.002, 3, 0}, {0, 0.003, -5, 0}, {1, 0, 0.1, 0}
  };
  private static final double[] LEARNING_RATES = {0.01, 0.1, 0, 0.05};

  @BeforeAll
  static void load() {
    NativeLibraries.load();
  }

  @Test
  void followsThePaperInDoubles() {
    try (TensorScope scope = new TensorScope()) {
      Parameters parameters = start(DType.FP32);
      AdamW optimizer = new AdamW(SPEC, parameters, new PlainKernels());
      double[] p = START.clone();
      double[] m = new double[p.length];
      double[] v = new double[p.length];
      for (int t = 1; t <= GRADIENTS.length; t++) {
        double[] g = GRADIENTS[t - 1];
        double learningRate = LEARNING_RATES[t - 1];
        parameters.ownGradient().copy_(Tensors.of(g));
        optimizer.step(learningRate, 1);
        for (int i = 0; i < p.length; i++) {
          p[i] -= learningRate * 0.1 * p[i];
          m[i] = 0.8 * m[i] + 0.2 * g[i];
          v[i] = 0.95 * v[i] + 0.05 * g[i] * g[i];
          double mHat = m[i] / (1 - Math.pow(0.8, t));
          double vHat = v[i] / (1 - Math.pow(0.95, t));
          p[i] -= learningRate * mHat / (Math.sqrt(vHat) + 1e-3);
        }
        assertThat(doubles(parameters.master())).containsExactly(p, within(1e-6));
      }
    }
  }

  @Test
  void firstStepsOfTorchAgree() {
    // torch.optim.AdamW([1.0], lr=0.1, weight_decay=0.01), gradients 1 and 1: the unit step of Adam
    try (TensorScope scope = new TensorScope()) {
      Parameters parameters =
          TinyModels.parameters(List.of(List.of(new Parameters.Shape("w", 1))), DType.FP32);
      parameters.master().fill_(Tensors.scalar(1));
      AdamW optimizer =
          new AdamW(new AdamWSpec(0.1, 0.01, 0.9, 0.999, 1e-8), parameters, new PlainKernels());
      parameters.ownGradient().fill_(Tensors.scalar(1));
      optimizer.step(0.1, 1);
      assertThat(parameters.master().item_double()).isEqualTo(0.899, within(1e-6));
      optimizer.step(0.1, 1);
      assertThat(parameters.master().item_double()).isEqualTo(0.798101, within(1e-6));
    }
  }

  @Test
  void computeCopyFollowsTheMaster() {
    try (TensorScope scope = new TensorScope()) {
      Parameters parameters = start(DType.BF16);
      parameters.ownGradient().copy_(Tensors.of(GRADIENTS[0]));
      new AdamW(SPEC, parameters, new PlainKernels()).step(0.01, 1);
      Tensor compute = parameters.compute("w");
      assertThat(compute.scalar_type().intern()).isEqualTo(ScalarType.BFloat16);
      assertThat(compute.flatten().equal(parameters.master().to(ScalarType.BFloat16))).isTrue();
    }
  }

  private static Parameters start(DType dtype) {
    Parameters parameters =
        TinyModels.parameters(List.of(List.of(new Parameters.Shape("w", 2, 2))), dtype);
    parameters.master().copy_(Tensors.of(START));
    parameters.publish();
    return parameters;
  }

  private static double[] doubles(Tensor tensor) {
    return Tensors.doubles(tensor.to(ScalarType.Double));
  }

  @Test
  void everyValueIsUpdatedAtTheSizeOfRealAdapters() {
    int steps = 3;
    double learningRate = 2e-4;
    AdamWSpec spec = new AdamWSpec(learningRate, 0.01, 0.9, 0.999, 1e-8);
    try (TensorScope scope = new TensorScope()) {
      Parameters parameters =
          TinyModels.parameters(List.of(List.of(new Parameters.Shape("w", ADAPTER))), DType.FP32);
      Tensors.uniform(parameters.master(), 0.02, 1);
      // the one gradient of all steps, whose clipped value is the same
      Tensors.normal(parameters.ownGradient(), 1e-3, 2);
      Tensor begin = sampled(parameters.master());
      Tensor g = sampled(parameters.ownGradient()).mul(Tensors.scalar(0.25));
      AdamW optimizer = new AdamW(spec, parameters, new PlainKernels());
      for (int step = 0; step < steps; step++) {
        optimizer.step(learningRate, 0.25);
      }

      // the bias corrections take back what the moments lack of a gradient that stays
      Tensor direction = g.div(g.abs().add(Tensors.scalar(spec.eps())));
      Tensor expected = begin;
      for (int step = 0; step < steps; step++) {
        expected =
            expected
                .mul(Tensors.scalar(1 - learningRate * spec.weightDecay()))
                .sub(direction.mul(Tensors.scalar(learningRate)));
      }
      // two roundings a step of values below 0.02
      assertThat(Deviation.absolute(sampled(parameters.master()), expected)).isLessThan(7e-9);
    }
  }

  /** Every 17th value and the last ones, in fp64. */
  private static Tensor sampled(Tensor flat) {
    long rows = ADAPTER / 17;
    Tensor spread = flat.narrow(0, 0, rows * 17).view(rows, 17).select(1, 3);
    return Tensors.cat(spread, flat.narrow(0, ADAPTER - 100, 100)).to(ScalarType.Double);
  }
}
