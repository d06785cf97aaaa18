package dev.anneal.training.kernel;

import static dev.anneal.training.kernel.Operand.address;

import dev.anneal.training.kernel.Kernels.AdamWStep;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Cross-entropy and the optimizer's step, for bf16 and fp32. */
final class TrainingKernels {
  private static final int LOSS_THREADS = 1024;
  private static final int ADAM_THREADS = 256;

  private final KernelContext gpu;

  TrainingKernels(KernelContext gpu) {
    this.gpu = gpu;
  }

  Tensor crossEntropy(Tensor logits, Tensor targets) {
    String real = Operand.real(logits);
    long rows = logits.size(0);
    int width = Math.toIntExact(logits.size(1));
    Tensor loss = gpu.emptyFp32(rows);
    long logitsAt = address(logits, logits.scalar_type(), "logits");
    KernelArguments arguments =
        gpu.arguments()
            .add(logitsAt)
            .add(address(targets, ScalarType.Long, "targets"))
            .add(address(loss))
            .add(width);
    int vector = Operand.vector(real, width, logitsAt);
    KernelVariant variant =
        KernelVariant.of(KernelSource.CROSS_ENTROPY, real, vector, LOSS_THREADS);
    gpu.launch(variant, rows, LOSS_THREADS, arguments);
    return loss;
  }

  void adamW(
      Tensor parameter,
      Tensor compute,
      Tensor m,
      Tensor v,
      Tensor gradient,
      Tensor gradientScale,
      AdamWStep step) {
    String real = Operand.real(compute);
    long count = parameter.numel();
    long parameterAt = address(parameter, ScalarType.Float, "parameter");
    long computeAt = address(compute, compute.scalar_type(), "compute");
    long mAt = address(m, ScalarType.Float, "m");
    long vAt = address(v, ScalarType.Float, "v");
    long gradientAt = address(gradient, ScalarType.Float, "gradient");
    int vector = Operand.vector("float", count, parameterAt | computeAt | mAt | vAt | gradientAt);
    KernelArguments arguments =
        gpu.arguments()
            .add(parameterAt)
            .add(computeAt)
            .add(mAt)
            .add(vAt)
            .add(gradientAt)
            .add(address(gradientScale, ScalarType.Float, "gradientScale"))
            .add(count)
            .add(1 - step.learningRate() * step.weightDecay())
            .add(1 - step.beta1())
            .add(step.beta2())
            .add(1 - step.beta2())
            .add(Math.sqrt(step.correction2()))
            .add(step.eps())
            .add(-step.learningRate() / step.correction1());
    KernelVariant variant = KernelVariant.of(KernelSource.ADAM_W, real, vector);
    long blocks = (count / vector + ADAM_THREADS - 1) / ADAM_THREADS;
    gpu.launch(variant, blocks, ADAM_THREADS, arguments);
  }
}
