package dev.anneal.training.model;

import org.bytedeco.pytorch.Tensor;

/** How tokens become the input of the first layer. */
public interface Embedding {
  /**
   * The tokens' rows of the embedding, without gradients.
   *
   * @param inputIds {@code [T]} int64
   * @return {@code [T, hidden_size]} in the current tensor scope
   */
  Tensor of(Tensor inputIds);
}
