package dev.anneal.data.token;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * The list {@code added_tokens} of a {@code tokenizer.json}. Ids are those that the tokenizers
 * library gives: the vocabulary's, or else the next one, whatever the file says.
 */
final class AddedTokenList {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final JsonFactory FACTORY = JSON.getFactory();

  private final String tokenizerJson;
  private final Map<String, Integer> vocabulary = new HashMap<>();
  private final Map<String, Mark> marks = new LinkedHashMap<>();
  private final Map<String, Integer> ids = new HashMap<>();
  private JsonNode found = JSON.createArrayNode();
  private int vocabularySize;
  private int largestAdded = -1;
  // where the list stands in the text; the place behind the first brace where there is none
  private int start = -1;
  private int end;

  private AddedTokenList(String tokenizerJson) {
    this.tokenizerJson = tokenizerJson;
  }

  /**
   * Reads the list and looks up tokens in the vocabulary.
   *
   * @param contents for which {@link #knows} may be asked
   * @throws IOException if the text is not that of a tokenizer
   */
  static AddedTokenList read(String tokenizerJson, Set<String> contents) throws IOException {
    AddedTokenList list = new AddedTokenList(tokenizerJson);
    list.findTokens();
    Set<String> wanted = new HashSet<>(contents);
    for (JsonNode token : list.found) {
      if (!token.path("content").isTextual()) {
        throw new IOException("an added token has no content");
      }
      wanted.add(token.path("content").textValue());
    }
    list.findVocabulary(wanted);
    list.found.forEach(token -> list.put(Mark.plain(token)));
    return list;
  }

  /** Whether it is in the list or in the vocabulary. */
  boolean knows(String content) {
    return has(content) || vocabulary.containsKey(content);
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
      int next = Math.max(vocabularySize, largestAdded + 1);
      int id = vocabulary.getOrDefault(content, next);
      ids.put(content, id);
      largestAdded = Math.max(largestAdded, id);
    }
  }

  /** The text of {@code tokenizer.json} with this list; the same text where it says the same. */
  String tokenizerJson() {
    ArrayNode list = JSON.createArrayNode();
    marks.values().forEach(mark -> list.add(json(mark)));
    if (saysTheSame(list)) {
      return tokenizerJson;
    }
    String field = start < 0 ? "\"added_tokens\":" + list + "," : list.toString();
    int from = start < 0 ? tokenizerJson.indexOf('{') + 1 : start;
    int to = start < 0 ? from : end;
    return tokenizerJson.substring(0, from) + field + tokenizerJson.substring(to);
  }

  private boolean saysTheSame(ArrayNode list) {
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

  private void findTokens() throws IOException {
    try (JsonParser parser = FACTORY.createParser(tokenizerJson)) {
      parser.nextToken();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String section = parser.currentName();
        JsonToken value = parser.nextToken();
        if (section.equals("added_tokens") && value == JsonToken.START_ARRAY) {
          start = (int) parser.currentTokenLocation().getCharOffset();
          found = JSON.readTree(parser);
          end = (int) parser.currentLocation().getCharOffset();
        } else {
          parser.skipChildren();
        }
      }
    }
  }

  private void findVocabulary(Set<String> contents) throws IOException {
    try (JsonParser parser = FACTORY.createParser(tokenizerJson)) {
      parser.nextToken();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String section = parser.currentName();
        JsonToken value = parser.nextToken();
        if (!section.equals("model") || value != JsonToken.START_OBJECT) {
          parser.skipChildren();
          continue;
        }
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
          boolean isVocabulary = parser.currentName().equals("vocab");
          JsonToken first = parser.nextToken();
          if (!isVocabulary) {
            parser.skipChildren();
          } else if (first == JsonToken.START_OBJECT) {
            readIds(parser, contents);
          } else if (first == JsonToken.START_ARRAY) {
            readPieces(parser, contents);
          }
        }
      }
    }
  }

  private void readIds(JsonParser parser, Set<String> contents) throws IOException {
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String content = parser.currentName();
      parser.nextToken();
      remember(content, parser.getValueAsInt(-1), contents);
    }
  }

  // A unigram model lists [piece, score] pairs in the order of their ids.
  private void readPieces(JsonParser parser, Set<String> contents) throws IOException {
    while (parser.nextToken() == JsonToken.START_ARRAY) {
      String content = parser.nextTextValue();
      remember(String.valueOf(content), vocabularySize, contents);
      while (parser.nextToken() != JsonToken.END_ARRAY && parser.currentToken() != null) {
        parser.skipChildren();
      }
    }
  }

  private void remember(String content, int id, Set<String> contents) {
    vocabularySize++;
    if (contents.contains(content)) {
      vocabulary.put(content, id);
    }
  }
}
