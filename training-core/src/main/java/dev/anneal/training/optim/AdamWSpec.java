package dev.anneal.training.optim;

import java.io.Serializable;

/**
 * Hyper-parameters of AdamW (<a href="https://arxiv.org/abs/1711.05101">Loshchilov 2017</a>).
 *
 * @param loraPlusRatio learning rate of the adapters' B and DoRA's magnitudes over that of A (<a
 *     href="https://arxiv.org/abs/2402.12354">LoRA+</a>), as {@code
 *     peft.optimizers.create_loraplus_optimizer} has it
 * @param decay which parameters decay
 */
public record AdamWSpec(
    double learningRate,
    double weightDecay,
    double beta1,
    double beta2,
    double eps,
    double loraPlusRatio,
    Decay decay)
    implements Serializable {

  /** Which parameters decay. */
  public enum Decay {
    ALL,
    /** All but the weights of norms. So does the trainer of transformers. */
    MATRICES
  }

  /** The same for every parameter. */
  public AdamWSpec(
      double learningRate, double weightDecay, double beta1, double beta2, double eps) {
    this(learningRate, weightDecay, beta1, beta2, eps, 1, Decay.ALL);
  }

  /** By what the learning rate is multiplied for a parameter. */
  double learningRateFactor(Parameters.Shape parameter) {
    boolean fast = parameter.name().contains("lora_B") || isMagnitude(parameter);
    return fast ? loraPlusRatio : 1;
  }

  /** The weight decay of a parameter. */
  double weightDecay(Parameters.Shape parameter) {
    boolean stays = parameter.dims().length < 2 && !isMagnitude(parameter);
    return decay == Decay.MATRICES && stays ? 0 : weightDecay;
  }

  private static boolean isMagnitude(Parameters.Shape parameter) {
    return parameter.name().endsWith("lora_magnitude_vector");
  }
}
