package dev.anneal.training.trainer;

import dev.anneal.training.tensor.Seeds;

/**
 * An order of the numbers below a size in which each is found without the others: a Feistel network
 * over the next larger power of four, applied again where it leads outside (cycle walking; Black
 * and Rogaway 2002). It takes no memory, whatever the size.
 */
final class Permutation {
  private static final int ROUNDS = 6;

  private final long size;
  private final int halfBits;
  private final long mask;
  private final long[] keys = new long[ROUNDS];

  /**
   * @param seed another one for another order
   */
  Permutation(long size, long seed) {
    this.size = size;
    int bits = 64 - Long.numberOfLeadingZeros(size - 1);
    this.halfBits = Math.max(1, (bits + 1) / 2);
    this.mask = (1L << halfBits) - 1;
    for (int round = 0; round < ROUNDS; round++) {
      keys[round] = Seeds.mix(seed, round);
    }
  }

  /** The number at that position of the order, {@code 0 <= position < size}. */
  long at(long position) {
    long number = encipher(position);
    while (number >= size) {
      number = encipher(number);
    }
    return number;
  }

  private long encipher(long number) {
    long left = number >>> halfBits;
    long right = number & mask;
    for (long key : keys) {
      long next = left ^ (Seeds.mix(key, right) & mask);
      left = right;
      right = next;
    }
    return left << halfBits | right;
  }
}
