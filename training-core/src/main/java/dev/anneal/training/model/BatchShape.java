package dev.anneal.training.model;

/**
 * The size of a micro-batch of equally long rows all of whose tokens are learned, which is the
 * largest that there can be of so many tokens.
 *
 * @param rows sequences
 * @param length tokens of each
 */
public record BatchShape(long rows, long length) {
  /** Tokens of the stream, {@code T}. */
  public long tokens() {
    return rows * length;
  }

  /** Tokens that are predicted, {@code N}: all but the first of every row. */
  public long targets() {
    return rows * (length - 1);
  }
}
