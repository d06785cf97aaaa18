package dev.anneal.data.token;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The list {@code added_tokens} of a {@code tokenizer.json}. Ids are those that the tokenizers
 * library gives: the vocabulary's, or else the next one, whatever the file says.
 */
final class AddedTokenList {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final TokenizerJson tokenizer;
  private final Map<String, Mark> marks = new LinkedHashMap<>();
  private final Map<String, Integer> ids = new HashMap<>();
  private int largestAdded = -1;

  private AddedTokenList(TokenizerJson tokenizer) {
    this.tokenizer = tokenizer;
  }

  /**
   * The list as the file has it.
   *
   * @throws IOException if one of the tokens has no content
   */
  static AddedTokenList of(TokenizerJson tokenizer) throws IOException {
    AddedTokenList list = new AddedTokenList(tokenizer);
    for (JsonNode token : tokenizer.addedTokens()) {
      if (!token.path("content").isTextual()) {
        throw new IOException("an added token has no content");
      }
      list.put(Mark.plain(token));
    }
    return list;
  }

  /** Whether it is in the list. */
  boolean has(String content) {
    return marks.containsKey(content);
  }

  /** Puts a token into the list, in the place of one of the same content. */
  void put(Mark mark) {
    String content = mark.content();
    if (content.isEmpty()) {
      return;
    }
    marks.put(content, mark);
    if (!ids.containsKey(content)) {
      int next = Math.max(tokenizer.vocabularySize(), largestAdded + 1);
      int id = tokenizer.vocabulary().getOrDefault(content, next);
      ids.put(content, id);
      largestAdded = Math.max(largestAdded, id);
    }
  }

  /** The text of {@code tokenizer.json} with this list; the same text where it says the same. */
  String tokenizerJson() {
    ArrayNode list = JSON.createArrayNode();
    marks.values().forEach(mark -> list.add(json(mark)));
    return saysTheSame(list) ? tokenizer.text() : tokenizer.withAddedTokens(list);
  }

  private boolean saysTheSame(ArrayNode list) {
    ArrayNode found = tokenizer.addedTokens();
    if (list.size() != found.size()) {
      return false;
    }
    for (int i = 0; i < list.size(); i++) {
      JsonNode before = found.get(i);
      if (!Mark.plain(before).equals(Mark.plain(list.get(i)))
          || before.path("id").asInt(-1) != list.get(i).path("id").intValue()) {
        return false;
      }
    }
    return true;
  }

  private ObjectNode json(Mark mark) {
    return JSON.createObjectNode()
        .put("id", ids.get(mark.content()))
        .put("content", mark.content())
        .put("single_word", mark.singleWord())
        .put("lstrip", mark.lstrip())
        .put("rstrip", mark.rstrip())
        .put("normalized", mark.normalized())
        .put("special", mark.special());
  }
}
