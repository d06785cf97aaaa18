package dev.anneal.data.token;

/** Turns a text into its tokens with their places: nothing is put around it, nothing is cut. */
interface TextEncoder {
  EncodedText encode(String text);

  /** Ids alone. */
  default int[] ids(String text) {
    return encode(text).ids();
  }
}
