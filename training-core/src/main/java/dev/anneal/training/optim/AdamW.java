package dev.anneal.training.optim;

import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Adam with decoupled weight decay (<a href="https://arxiv.org/abs/1711.05101">Loshchilov
 * 2017</a>), in the order of operations of {@code torch.optim.AdamW}, over this rank's parts of the
 * parameters.
 */
public final class AdamW {
  private final AdamWSpec spec;
  private final Parameters parameters;
  private final Kernels kernels;
  private final List<ParameterGroup> groups;
  private final Tensor m;
  private final Tensor v;
  private long step;

  /** Moments at zero, in the current tensor scope. */
  public AdamW(AdamWSpec spec, Parameters parameters, Kernels kernels) {
    this.spec = spec;
    this.parameters = parameters;
    this.kernels = kernels;
    this.groups = ParameterGroup.of(spec, parameters);
    this.m = torch.zeros_like(parameters.master());
    this.v = torch.zeros_like(parameters.master());
  }

  /** The running mean of the gradient, {@code [n]} fp32 beside {@link Parameters#master()}. */
  public Tensor expAvg() {
    return m;
  }

  /** The running mean of the gradient's square, {@code [n]} fp32. */
  public Tensor expAvgSq() {
    return v;
  }

  /** Updates done, which the moments' bias correction depends on. */
  public long steps() {
    return step;
  }

  /** Goes on as if {@code steps} updates were done; the moments are written by the caller. */
  public void resumeAt(long steps) {
    step = steps;
  }

  /**
   * Moves the parameters along {@code gradientScale} times their gradient at {@code learningRate}.
   */
  public void step(double learningRate, double gradientScale) {
    step++;
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Tensor scale = Tensors.emptyLike(parameters.master(), 1).fill_(Tensors.scalar(gradientScale));
      for (ParameterGroup group : groups) {
        kernels.adamW(
            part(parameters.master(), group),
            part(parameters.ownCompute(), group),
            part(m, group),
            part(v, group),
            part(parameters.ownGradient(), group),
            scale,
            numbers(learningRate, group));
      }
    }
    parameters.gatherCompute();
  }

  private static Tensor part(Tensor whole, ParameterGroup group) {
    return whole.narrow(0, group.offset(), group.numel());
  }

  private Kernels.AdamWStep numbers(double learningRate, ParameterGroup group) {
    return new Kernels.AdamWStep(
        learningRate * group.learningRateFactor(),
        group.weightDecay(),
        spec.beta1(),
        spec.beta2(),
        spec.eps(),
        1 - Math.pow(spec.beta1(), (double) step),
        1 - Math.pow(spec.beta2(), (double) step));
  }
}
