package dev.anneal.data.token;

/** Turns a text into its tokens with their places: nothing is put around it, nothing is cut. */
interface TextEncoder extends AutoCloseable {
  EncodedText encode(String text);

  /** Frees what it has of its own. */
  @Override
  default void close() {}

  /** Ids alone. */
  default int[] ids(String text) {
    return encode(text).ids();
  }
}
