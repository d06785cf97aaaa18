package dev.anneal.training.weights;

/**
 * Whether a rank brings together what ranks hold in parts sooner than it has to. That takes memory
 * and saves the time that ranks wait for each other.
 */
public enum Together {
  /** where it takes little: {@link #SMALL_BYTES} of one thing at most */
  SMALL,
  ALWAYS,
  NEVER;

  /**
   * Of Llama 3.1 at r=64 in bf16, adapters take 0.34 GB at 8B, 1.66 at 70B and 4.99 at 405B, and
   * the head 1.05, 2.10 and 4.20: at 405B memory decides what fits, and a step is so long that
   * waiting is none of it.
   */
  public static final long SMALL_BYTES = 2L << 30;

  /** Whether something that takes {@code bytes} is brought together sooner. */
  public boolean admits(long bytes) {
    return switch (this) {
      case SMALL -> bytes <= SMALL_BYTES;
      case ALWAYS -> true;
      case NEVER -> false;
    };
  }

  /**
   * What a system property says; {@link #SMALL} without it. It is for measurements, and all ranks
   * have to be given the same.
   *
   * @throws IllegalArgumentException if it is none of these
   */
  public static Together asked(String property) {
    return asked(property, SMALL);
  }

  /** Likewise; {@code usual} without it. */
  public static Together asked(String property, Together usual) {
    return AskedWord.of(property, usual);
  }
}
