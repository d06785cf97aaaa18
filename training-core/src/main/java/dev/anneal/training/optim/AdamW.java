package dev.anneal.training.optim;

import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Adam with decoupled weight decay (<a href="https://arxiv.org/abs/1711.05101">Loshchilov
 * 2017</a>), in the order of operations of {@code torch.optim.AdamW}, over one flat vector.
 */
public final class AdamW {
  private final AdamWSpec spec;
  private final Parameters parameters;
  private final Tensor m;
  private final Tensor v;
  private long step;

  /** Moments at zero, in the current tensor scope. */
  public AdamW(AdamWSpec spec, Parameters parameters) {
    this.spec = spec;
    this.parameters = parameters;
    this.m = torch.zeros_like(parameters.master());
    this.v = torch.zeros_like(parameters.master());
  }

  /** Moves the parameters along their gradient at {@code learningRate}. */
  public void step(double learningRate) {
    step++;
    double correction1 = 1 - Math.pow(spec.beta1(), (double) step);
    double correction2 = 1 - Math.pow(spec.beta2(), (double) step);
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Tensor p = parameters.master();
      Tensor g = parameters.gradient();
      p.mul_(Tensors.scalar(1 - learningRate * spec.weightDecay()));
      m.lerp_(g, Tensors.scalar(1 - spec.beta1()));
      v.mul_(Tensors.scalar(spec.beta2())).addcmul_(g, g, Tensors.scalar(1 - spec.beta2()));
      Tensor denominator =
          v.sqrt().div_(Tensors.scalar(Math.sqrt(correction2))).add_(Tensors.scalar(spec.eps()));
      p.addcdiv_(m, denominator, Tensors.scalar(-learningRate / correction1));
    }
    parameters.publish();
  }
}
