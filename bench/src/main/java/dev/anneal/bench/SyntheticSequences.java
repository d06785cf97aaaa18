package dev.anneal.bench;

import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.data.TokenSequence;
import java.util.SplittableRandom;

/**
 * Sequences of random tokens, all of them learned, as the peer's benchmark has them.
 *
 * @param count sequences in an epoch
 * @param length tokens of each, one row
 */
record SyntheticSequences(long count, int length, int vocabSize) implements SequenceSource {
  @Override
  public long size() {
    return count;
  }

  @Override
  public TokenSequence read(long index) {
    int[] ids = new SplittableRandom(index).ints(length, 0, vocabSize).toArray();
    return new TokenSequence(ids, new int[] {length}, new int[] {0, length});
  }

  @Override
  public void close() {}
}
