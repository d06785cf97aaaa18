package dev.anneal.data.token;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The tokens that are found in a text before it is cut into pieces, such as special ones. */
final class AddedTokens {
  private final Map<Character, List<Token>> byFirst = new HashMap<>();

  /** A token as it stands in texts. */
  record Token(String content, int id) {}

  /** A token at its place. */
  record Found(int start, Token token) {}

  AddedTokens(List<Token> tokens) {
    List<Token> longestFirst = new ArrayList<>(tokens);
    longestFirst.sort(Comparator.comparing(token -> -token.content().length()));
    for (Token token : longestFirst) {
      byFirst.computeIfAbsent(token.content().charAt(0), c -> new ArrayList<>()).add(token);
    }
  }

  /** The first token at or behind {@code from}, of several there the longest; null if none is. */
  Found next(String text, int from) {
    for (int i = from; i < text.length(); i++) {
      for (Token token : byFirst.getOrDefault(text.charAt(i), List.of())) {
        if (text.startsWith(token.content(), i)) {
          return new Found(i, token);
        }
      }
    }
    return null;
  }
}
