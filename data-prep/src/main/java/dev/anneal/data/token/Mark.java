package dev.anneal.data.token;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * A token that is looked for in a text before anything else, as the tokenizers library's {@code
 * AddedToken}.
 *
 * @param singleWord only where no letter or digit stands beside it
 * @param lstrip takes the white space before it
 * @param rstrip takes the white space behind it
 * @param normalized looked for in the normalized text
 * @param special left out where ids are read as text without special tokens
 */
record Mark(
    String content,
    boolean singleWord,
    boolean lstrip,
    boolean rstrip,
    boolean normalized,
    boolean special) {

  /** A token with a role, given by its content or as an object. */
  static Mark special(JsonNode token) {
    return of(token, true);
  }

  /** A token that is not special unless it says so. */
  static Mark plain(JsonNode token) {
    return of(token, token.path("special").asBoolean(false));
  }

  static Mark special(String content) {
    return new Mark(content, false, false, false, false, true);
  }

  static Mark plain(String content) {
    return new Mark(content, false, false, false, true, false);
  }

  Mark asSpecial() {
    return new Mark(content, singleWord, lstrip, rstrip, normalized, true);
  }

  private static Mark of(JsonNode token, boolean special) {
    return token.isTextual()
        ? special(token.textValue())
        : new Mark(
            token.path("content").asText(),
            token.path("single_word").asBoolean(false),
            token.path("lstrip").asBoolean(false),
            token.path("rstrip").asBoolean(false),
            token.path("normalized").asBoolean(!special),
            special);
  }
}
