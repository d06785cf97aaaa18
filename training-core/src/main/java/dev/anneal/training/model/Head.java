package dev.anneal.training.model;

import org.bytedeco.pytorch.Tensor;

/**
 * Final norm, head and cross-entropy of the target tokens, in chunks of tokens: with a vocabulary
 * of 128,256 whole logits would be the largest tensor of all. Each call brings a head that is split
 * over ranks together once, also where the batch has nothing to learn: ranks make the same calls.
 */
public interface Head {
  /**
   * The loss and its gradient.
   *
   * @param loss {@code [1]} fp64
   * @param dHidden {@code [T, hidden_size]}
   */
  record Result(Tensor loss, Tensor dHidden) {}

  /**
   * The loss alone.
   *
   * @param hidden output of the last layer, {@code [T, hidden_size]}
   * @return {@code [1]} fp64: the sum of the cross-entropy over the batch's target tokens
   */
  Tensor loss(Tensor hidden, TokenBatch batch);

  /**
   * The loss of every target token.
   *
   * @param hidden output of the last layer, {@code [T, hidden_size]}
   * @return {@code [N]} fp64, in the order of the batch's targets
   */
  Tensor losses(Tensor hidden, TokenBatch batch);

  /**
   * The loss that training makes smaller, weighted as its {@link Objective} says and summed, with
   * its gradient: of {@code hidden} in the result, of trained weights of the head added to their
   * parameters.
   */
  Result lossAndGradient(Tensor hidden, TokenBatch batch);
}
