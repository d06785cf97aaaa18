package dev.anneal.training.fused;

import java.io.Serializable;

/**
 * How attention is computed in the fused layers on GPUs.
 *
 * @param library whose kernels do it
 * @param deterministic whether a backward gives the same bits for the same input; else it adds up
 *     in the order in which its blocks end, which is faster and takes less room
 */
public record AttentionSettings(AttentionLibrary library, boolean deterministic)
    implements Serializable {
  /** Where nothing else is said. */
  public static final AttentionSettings DEFAULT = deterministic(AttentionLibrary.DEFAULT);

  /** The same bits for the same input. */
  public static AttentionSettings deterministic(AttentionLibrary library) {
    return new AttentionSettings(library, true);
  }
}
