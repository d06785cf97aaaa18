package dev.anneal.training.cudnn;

/**
 * What a plan is made for.
 *
 * @param rows as many at most
 * @param longest tokens of a row at most
 * @param heads of queries, that share the heads of keys and values evenly
 * @param kvHeads of keys and values
 * @param headDim elements of a head
 * @param strides where tokens lie
 */
public record AttentionShape(
    int rows, int longest, int heads, int kvHeads, int headDim, Strides strides) {
  /**
   * Elements from a token to the next.
   *
   * @param query in queries
   * @param key in keys and values
   * @param output in outputs, their gradients and those of queries
   * @param keyGradient in the gradients of keys and values
   * @param logsumexp in the softmax's sums
   */
  public record Strides(long query, long key, long output, long keyGradient, long logsumexp) {
    /** All of them, in the order of the parameters. */
    public long[] factors() {
      return new long[] {query, key, output, keyGradient, logsumexp};
    }
  }

  @Override
  public String toString() {
    return "attention with %s rows of %s tokens, %s heads (%s of keys) of %s elements"
        .formatted(rows, longest, heads, kvHeads, headDim);
  }

  /** Whether several query heads share a head of keys. */
  public boolean grouped() {
    return heads != kvHeads;
  }
}
