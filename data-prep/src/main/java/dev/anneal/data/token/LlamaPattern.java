package dev.anneal.data.token;

import static dev.anneal.data.token.CharacterKind.LETTER;
import static dev.anneal.data.token.CharacterKind.LINE_END;
import static dev.anneal.data.token.CharacterKind.NUMBER;
import static dev.anneal.data.token.CharacterKind.OTHER;
import static dev.anneal.data.token.CharacterKind.SPACE;
import static dev.anneal.data.token.CharacterKind.run;
import static dev.anneal.data.token.CharacterKind.width;

import java.util.Map;
import java.util.Optional;

/**
 * The pattern with which Llama 3 cuts text, by hand: Java's regular expressions take as long for it
 * as everything else together. Qwen's is the same but for the length of numbers.
 */
final class LlamaPattern implements PreTokenizer {
  private static final String BEFORE_NUMBERS =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|";
  private static final String BEHIND_NUMBERS =
      "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  /** Qwen's, as {@code tokenizer.json} writes it. */
  static final String QWEN = BEFORE_NUMBERS + "\\p{N}" + BEHIND_NUMBERS;

  /** Digits of a piece by the pattern as {@code tokenizer.json} writes it. */
  private static final Map<String, Integer> DIGITS =
      Map.of(BEFORE_NUMBERS + "\\p{N}{1,3}" + BEHIND_NUMBERS, 3, QWEN, 1);

  private final int digits;

  private LlamaPattern(int digits) {
    this.digits = digits;
  }

  /** The pattern that is written so; empty for any other. */
  static Optional<PreTokenizer> of(String regex) {
    return Optional.ofNullable(DIGITS.get(regex)).map(LlamaPattern::new);
  }

  @Override
  public int end(char[] text, int start, int limit) {
    byte first = CharacterKind.at(text, start, limit);
    int second = start + width(text, start);
    return switch (first) {
      case LETTER -> run(text, second, limit, LETTER);
      case NUMBER -> numbers(text, second, limit);
      case OTHER -> afterOther(text, start, second, limit);
      default -> afterSpace(text, start, first, limit);
    };
  }

  private static int afterOther(char[] text, int start, int second, int limit) {
    if (text[start] == '\'') {
      int contraction = Contraction.end(text, second, limit);
      if (contraction != 0) {
        return contraction;
      }
    }
    if (CharacterKind.at(text, second, limit) == LETTER) {
      return run(text, second, limit, LETTER);
    }
    return run(text, run(text, second, limit, OTHER), limit, LINE_END);
  }

  private static int afterSpace(char[] text, int start, byte first, int limit) {
    int second = start + 1;
    byte next = CharacterKind.at(text, second, limit);
    if (first == SPACE && next == LETTER) {
      return run(text, second, limit, LETTER);
    }
    if (text[start] == ' ' && next == OTHER) {
      return run(text, run(text, second, limit, OTHER), limit, LINE_END);
    }
    int end = start;
    int behindLineEnd = 0;
    byte kind = first;
    while (kind == SPACE || kind == LINE_END) {
      end++;
      behindLineEnd = kind == LINE_END ? end : behindLineEnd;
      kind = CharacterKind.at(text, end, limit);
    }
    if (behindLineEnd != 0) {
      return behindLineEnd;
    }
    // the last space before a word belongs to the word
    return end == limit || end == second ? end : end - 1;
  }

  private int numbers(char[] text, int at, int limit) {
    int end = at;
    for (int i = 1; i < digits && CharacterKind.at(text, end, limit) == NUMBER; i++) {
      end += width(text, end);
    }
    return end;
  }
}
