package dev.anneal.training.fused;

/** Whose kernels compute attention in the fused layers on GPUs. */
public enum AttentionLibrary {
  /** libtorch's build of FlashAttention-2. */
  FLASH,
  /** cuDNN's where it takes a shape, else {@link #FLASH}'s. */
  CUDNN;

  /** Where nothing else is said. */
  public static final AttentionLibrary DEFAULT = FLASH;
}
