package dev.anneal.data.token;

import static dev.anneal.data.token.CharacterKind.NUMBER;

/**
 * {@code Digits}: numbers are pieces of their own.
 *
 * @param each whether every digit is one, {@code individual_digits}
 */
record DigitsApart(boolean each) implements PreTokenizer {
  @Override
  public int end(char[] text, int start, int limit) {
    boolean number = CharacterKind.at(text, start, limit) == NUMBER;
    int end = start;
    do {
      end += CharacterKind.width(text, end);
    } while (end < limit
        && !(number && each)
        && (CharacterKind.at(text, end, limit) == NUMBER) == number);
    return end;
  }
}
