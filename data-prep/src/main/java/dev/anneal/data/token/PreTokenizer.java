package dev.anneal.data.token;

/** Cuts a text into the pieces that byte pairs are merged within. */
interface PreTokenizer {
  /** The end of the piece that begins at {@code start}, where {@code start < limit}. */
  int end(char[] text, int start, int limit);

  /**
   * Cuts this one's pieces further, each as if it were a text.
   *
   * @param pieces which may be asked for the end of its pieces from anywhere in them
   */
  static PreTokenizer within(PreTokenizer pieces, PreTokenizer further) {
    return (text, start, limit) -> further.end(text, start, pieces.end(text, start, limit));
  }
}
