package dev.anneal.data.token;

import java.util.Map;

/**
 * Bytes that a byte-level vocabulary has no token for, such as control characters: the library
 * leaves them out of a text, or takes them for unknown.
 */
final class BytesWithoutToken {
  private static final int BYTES = 256;

  private final boolean[] missing = new boolean[BYTES];
  private boolean any;
  private boolean anyBehindAscii;

  private BytesWithoutToken() {}

  /** Those of a vocabulary that writes bytes as {@code ByteLevel} does. */
  static BytesWithoutToken of(Map<String, Integer> vocabulary) {
    BytesWithoutToken bytes = new BytesWithoutToken();
    int moved = BYTES;
    for (int b = 0; b < BYTES; b++) {
      boolean asItself = (b > 0x20 && b < 0x7f) || (b > 0xa0 && b != 0xad);
      int written = asItself ? b : moved++;
      // UTF-8 has no use for some
      boolean used = b < 0xc0 || (b > 0xc1 && b < 0xf5);
      if (used && !vocabulary.containsKey(Character.toString(written))) {
        bytes.missing[b] = true;
        bytes.any = true;
        bytes.anyBehindAscii |= b >= 0x80;
      }
    }
    return bytes;
  }

  boolean isEmpty() {
    return !any;
  }

  /** Whether a text has any of them. */
  boolean areIn(String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < 0x80 ? missing[c] : anyBehindAscii && isIn(text, i)) {
        return true;
      }
    }
    return false;
  }

  /** Whether one is in the character that begins there; of one in two halves at the first. */
  private boolean isIn(String text, int index) {
    int c = text.codePointAt(index);
    if (c < 0x800) {
      return missing[0xc0 | (c >> 6)] || isInRest(c, 1);
    }
    return c < 0x10000
        ? missing[0xe0 | (c >> 12)] || isInRest(c, 2)
        : missing[0xf0 | (c >> 18)] || isInRest(c, 3);
  }

  private boolean isInRest(int c, int count) {
    for (int i = 0; i < count; i++) {
      if (missing[0x80 | ((c >> (6 * i)) & 0x3f)]) {
        return true;
      }
    }
    return false;
  }
}
