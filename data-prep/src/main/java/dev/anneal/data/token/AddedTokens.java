package dev.anneal.data.token;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The tokens that are found in a text before it is cut into pieces, such as special ones. */
final class AddedTokens {
  private final Node root = new Node();

  /** Characters that a token begins with, those of ASCII: hardly any place of a text is one. */
  private final boolean[] first = new boolean[128];

  /** A token as it stands in texts. */
  record Token(String content, int id) {}

  /** A token at its place. */
  record Found(int start, Token token) {}

  /** What tokens have in common up to here. */
  private static final class Node {
    private final Map<Character, Node> next = new HashMap<>();
    private Token token;
  }

  AddedTokens(List<Token> tokens) {
    for (Token token : tokens) {
      char begin = token.content().charAt(0);
      if (begin < first.length) {
        first[begin] = true;
      }
      Node node = root;
      for (char c : token.content().toCharArray()) {
        node = node.next.computeIfAbsent(c, any -> new Node());
      }
      node.token = token;
    }
  }

  /** The first token at or behind {@code from}, of several there the longest; null if none is. */
  Found next(char[] text, int from) {
    for (int i = from; i < text.length; i++) {
      char c = text[i];
      Token token = c >= first.length || first[c] ? longestAt(text, i) : null;
      if (token != null) {
        return new Found(i, token);
      }
    }
    return null;
  }

  private Token longestAt(char[] text, int start) {
    Token longest = null;
    int i = start;
    for (Node node = root; node != null; i++) {
      longest = node.token == null ? longest : node.token;
      node = i < text.length ? node.next.get(text[i]) : null;
    }
    return longest;
  }
}
