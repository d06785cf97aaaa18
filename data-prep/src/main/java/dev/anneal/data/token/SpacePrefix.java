package dev.anneal.data.token;

/** Where a space that is not in a text stands in front of it, as SentencePiece puts one. */
enum SpacePrefix {
  NOWHERE,
  /** Before all text between added tokens. */
  EVERYWHERE,
  /** The same, but not before a space. */
  WHERE_NONE_IS,
  /** At the begin of the whole text, but not before a space. */
  AT_THE_BEGIN;

  /** What SentencePiece writes for a space. */
  static final char SPACE = '▁';

  /**
   * Whether one stands before a text between added tokens.
   *
   * @param first its first character
   * @param atBegin whether nothing stands before it
   */
  boolean isBefore(char first, boolean atBegin) {
    return switch (this) {
      case NOWHERE -> false;
      case EVERYWHERE -> true;
      case WHERE_NONE_IS -> !isSpace(first);
      case AT_THE_BEGIN -> atBegin && !isSpace(first);
    };
  }

  /** Whether a character becomes a space, or is one already. */
  static boolean isSpace(char c) {
    return c == ' ' || c == SPACE;
  }
}
