package dev.anneal.data.token;

import java.util.Set;

/**
 * Cuts a text of SentencePiece's where a space begins. Byte pairs are merged across such a place
 * only into a token that holds it, so where no token does, each piece is tokenized alone.
 *
 * @param each whether spaces that follow each other are cut as well: {@code split} of {@code
 *     Metaspace}
 */
record SpacePattern(boolean each) implements PreTokenizer {

  /** Whether no token of a vocabulary has a space behind another character. */
  static boolean cuts(Set<String> vocabulary) {
    return vocabulary.stream().noneMatch(SpacePattern::hasSpaceBehindOther);
  }

  private static boolean hasSpaceBehindOther(String token) {
    for (int i = 1; i < token.length(); i++) {
      if (SpacePrefix.isSpace(token.charAt(i)) && !SpacePrefix.isSpace(token.charAt(i - 1))) {
        return true;
      }
    }
    return false;
  }

  @Override
  public int end(char[] text, int start, int limit) {
    int end = start + 1;
    while (!each && end < limit && isSpace(text, end) && isSpace(text, end - 1)) {
      end++;
    }
    while (end < limit && !isSpace(text, end)) {
      end++;
    }
    return end;
  }

  private static boolean isSpace(char[] text, int place) {
    return SpacePrefix.isSpace(text[place]);
  }
}
