package dev.anneal.training.model;

import java.io.Serializable;
import org.bytedeco.pytorch.Tensor;

/**
 * The loss that training makes smaller. Held-out losses are plain cross-entropy per token, so that
 * runs with different objectives can be compared.
 *
 * @param per what the loss is the mean over
 * @param labelSmoothing the share of every target that is spread evenly over the vocabulary
 * @param neftuneNoiseAlpha how loud the noise on the embedded tokens is; 0: there is none
 */
public record Objective(Per per, double labelSmoothing, double neftuneNoiseAlpha)
    implements Serializable {
  /** Cross-entropy per target token. */
  public static final Objective CROSS_ENTROPY = new Objective(Per.TOKEN, 0, 0);

  /** What counts alike in the mean over a global batch. */
  public enum Per {
    /** Every target token. */
    TOKEN,
    /** Every row with target tokens, by the mean over these. */
    ROW
  }

  /** How many of what counts alike a batch has. */
  public long count(TokenBatch batch) {
    return per == Per.ROW ? batch.learnedRows() : batch.targetTokens();
  }

  /**
   * What each target token's loss is multiplied with before it is summed.
   *
   * @return {@code [N]} fp64 on the batch's device, in the current tensor scope; {@code null}: 1
   */
  public Tensor weights(TokenBatch batch) {
    return per == Per.ROW ? batch.rowWeights() : null;
  }
}
