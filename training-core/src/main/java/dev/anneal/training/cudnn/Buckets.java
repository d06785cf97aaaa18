package dev.anneal.training.cudnn;

/**
 * The sizes that plans are made for: 1, 2, 3, 4, 6, 8, 12, 16, ... rows and so many blocks of
 * tokens, so that the shapes of a run's batches are few and at most half as much again as needed.
 */
public final class Buckets {
  /** Tokens that engines take together. */
  static final int BLOCK = 128;

  private Buckets() {}

  /** The smallest bucket of at least {@code count}, which is at least 1. */
  public static int of(int count) {
    int power = Integer.highestOneBit(count);
    if (power == count) {
      return count;
    }
    return count <= power + power / 2 ? power + power / 2 : 2 * power;
  }

  /** The largest bucket of at most {@code count}; 0 for less than 1. */
  static int within(long count) {
    if (count < 1) {
      return 0;
    }
    int power = Integer.highestOneBit((int) Math.min(count, Integer.MAX_VALUE));
    return power > 1 && count >= power + power / 2 ? power + power / 2 : power;
  }

  /** The bucket of a row of {@code length} tokens, in tokens. */
  public static int tokens(int length) {
    return BLOCK * of((length + BLOCK - 1) / BLOCK);
  }
}
