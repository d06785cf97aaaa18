package dev.anneal.training.data;

import java.io.IOException;

/** A data set in its stored order, read at random by position. */
public interface SequenceSource extends AutoCloseable {

  /** Number of sequences. */
  long size();

  /** The sequence at {@code index}, {@code 0 <= index < size()}. */
  TokenSequence read(long index) throws IOException;

  /** What messages call the sequence at {@code index}. */
  default String describe(long index) {
    return "sequence " + index;
  }

  /** Says which sequences will be read next, for sources that can bring them meanwhile. */
  default void expect(long... indices) {}

  @Override
  void close() throws IOException;
}
