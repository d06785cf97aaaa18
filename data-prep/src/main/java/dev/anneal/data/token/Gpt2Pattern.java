package dev.anneal.data.token;

import static dev.anneal.data.token.CharacterKind.LETTER;
import static dev.anneal.data.token.CharacterKind.LINE_END;
import static dev.anneal.data.token.CharacterKind.NUMBER;
import static dev.anneal.data.token.CharacterKind.OTHER;
import static dev.anneal.data.token.CharacterKind.SPACE;
import static dev.anneal.data.token.CharacterKind.run;
import static dev.anneal.data.token.CharacterKind.width;

/** The pattern of GPT-2, which {@code ByteLevel} has built in: {@code use_regex}. */
final class Gpt2Pattern implements PreTokenizer {
  @Override
  public int end(char[] text, int start, int limit) {
    byte first = CharacterKind.at(text, start, limit);
    int second = start + width(text, start);
    if (first == SPACE || first == LINE_END) {
      return afterSpace(text, start, limit);
    }
    if (text[start] == '\'') {
      int contraction = Contraction.lowerCaseEnd(text, second, limit);
      if (contraction != 0) {
        return contraction;
      }
    }
    return run(text, second, limit, first);
  }

  private static int afterSpace(char[] text, int start, int limit) {
    int second = start + 1;
    byte next = CharacterKind.at(text, second, limit);
    if (text[start] == ' ' && (next == LETTER || next == NUMBER || next == OTHER)) {
      return run(text, second, limit, next);
    }
    int end = second;
    while (next == SPACE || next == LINE_END) {
      end++;
      next = CharacterKind.at(text, end, limit);
    }
    // the last space before a word belongs to the word
    return end == limit || end == second ? end : end - 1;
  }
}
