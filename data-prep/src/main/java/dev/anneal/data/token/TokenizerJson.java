package dev.anneal.data.token;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What a {@code tokenizer.json} says, read in one go: of the megabytes of vocabulary and merges no
 * tree is built. It is read strictly, as the tokenizers library ends the process where it meets
 * broken JSON in the middle of a component.
 */
final class TokenizerJson {
  private static final int MAX_DEPTH = 64;
  private static final int MAX_CHARACTERS = 256 << 20;
  private static final String ADDED_TOKENS = "added_tokens";

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final JsonFactory STRICT =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(MAX_DEPTH)
                  .maxDocumentLength(MAX_CHARACTERS)
                  .build())
          .build();

  private final String text;
  private final ObjectNode rules;
  private final Map<String, Integer> vocabulary;
  private final List<Place> pairs = new ArrayList<>();
  private int vocabularySize;
  private int largestId = -1;
  private int addedStart = -1;
  private int addedEnd = -1;

  private TokenizerJson(String text, ObjectNode rules, Map<String, Integer> vocabulary) {
    this.text = text;
    this.rules = rules;
    this.vocabulary = vocabulary;
  }

  /** Where the value of a field of the model stands in the text. */
  private record Place(String field, int start, int end) {}

  /**
   * Reads the text of a file.
   *
   * @throws IOException if it is not a JSON object that the tokenizers library can parse
   */
  static TokenizerJson parse(String text) throws IOException {
    TokenizerJson json = new TokenizerJson(text, JSON.createObjectNode(), new HashMap<>());
    try (JsonParser parser = STRICT.createParser(text)) {
      json.read(parser);
    }
    for (JsonNode token : json.addedTokens()) {
      json.largestId = Math.max(json.largestId, token.path("id").asInt(-1));
    }
    return json;
  }

  /** The text itself. */
  String text() {
    return text;
  }

  /** Everything but {@code vocab} and {@code merges} of the model. */
  ObjectNode rules() {
    return rules;
  }

  /** The list {@code added_tokens}. */
  ArrayNode addedTokens() {
    return rules.path(ADDED_TOKENS) instanceof ArrayNode list ? list : JSON.createArrayNode();
  }

  /** Ids of the model's vocabulary by its entries. */
  Map<String, Integer> vocabulary() {
    return vocabulary;
  }

  /** Entries of the model's vocabulary. */
  int vocabularySize() {
    return vocabularySize;
  }

  /** Largest id of the vocabulary and the added tokens, plus one. */
  int idBound() {
    return largestId + 1;
  }

  /** Ids of the added tokens. */
  Set<Integer> addedIds() {
    return ids(token -> true);
  }

  /** Ids of the added tokens that are special. */
  Set<Integer> specialIds() {
    return ids(token -> token.path("special").asBoolean());
  }

  private Set<Integer> ids(Predicate<JsonNode> which) {
    return addedTokens()
        .valueStream()
        .filter(which)
        .map(token -> token.path("id").intValue())
        .collect(Collectors.toUnmodifiableSet());
  }

  /** Ids that the post-processor puts before a text. */
  int[] idsBeforeTexts() {
    IntStream.Builder ids = IntStream.builder();
    List<JsonNode> processors = steps(rules.path("post_processor"), "processors");
    // the last one stands outside
    for (int i = processors.size() - 1; i >= 0; i--) {
      idsBefore(processors.get(i), ids);
    }
    return ids.build().toArray();
  }

  private static void idsBefore(JsonNode processor, IntStream.Builder ids) {
    switch (processor.path("type").asText()) {
      case "TemplateProcessing" -> {
        for (JsonNode piece : processor.path("single")) {
          if (piece.has("Sequence")) {
            break;
          }
          String name = piece.path("SpecialToken").path("id").asText();
          processor
              .path("special_tokens")
              .path(name)
              .path("ids")
              .forEach(id -> ids.add(id.asInt()));
        }
      }
      case "BertProcessing", "RobertaProcessing" -> ids.add(processor.path("cls").path(1).asInt());
      default -> {}
    }
  }

  /**
   * The steps of a rule, one after the other; none where there is no rule, or one of nothing.
   *
   * @param several the name of the list of a {@code Sequence}, which may hold others
   */
  static List<JsonNode> steps(JsonNode rule, String several) {
    if (rule.isNull() || rule.isMissingNode()) {
      return List.of();
    }
    if (!rule.path("type").asText().equals("Sequence")) {
      return List.of(rule);
    }
    List<JsonNode> steps = new ArrayList<>();
    rule.path(several).forEach(step -> steps.addAll(steps(step, several)));
    return steps;
  }

  /** The same vocabulary and merges under other rules. */
  TokenizerJson with(ObjectNode others) {
    ObjectNode rest = others.deepCopy();
    String added = "{\"" + ADDED_TOKENS + "\":" + rest.remove(ADDED_TOKENS);
    String model = rest.remove("model").toString();
    StringBuilder all = new StringBuilder(text.length()).append(added).append(",\"model\":");
    all.append(model, 0, model.length() - 1);
    for (Place place : pairs) {
      all.append(",\"")
          .append(place.field())
          .append("\":")
          .append(text, place.start(), place.end());
    }
    all.append("},").append(rest.toString().substring(1));
    TokenizerJson same = new TokenizerJson(all.toString(), others, vocabulary);
    same.vocabularySize = vocabularySize;
    same.largestId = largestId;
    same.addedStart = added.indexOf(':') + 1;
    same.addedEnd = added.length();
    return same;
  }

  /** The text with another list of added tokens. */
  String withAddedTokens(ArrayNode list) {
    boolean absent = addedStart < 0;
    int from = absent ? text.indexOf('{') + 1 : addedStart;
    int to = absent ? from : addedEnd;
    String field = absent ? "\"" + ADDED_TOKENS + "\":" + list + "," : list.toString();
    return text.substring(0, from) + field + text.substring(to);
  }

  private void read(JsonParser parser) throws IOException {
    if (parser.nextToken() != JsonToken.START_OBJECT) {
      throw new IOException("it is not a JSON object");
    }
    while (next(parser) == JsonToken.FIELD_NAME) {
      String section = parser.currentName();
      JsonToken first = next(parser);
      if (section.equals("model") && first == JsonToken.START_OBJECT) {
        rules.set(section, model(parser));
      } else if (section.equals(ADDED_TOKENS) && first == JsonToken.START_ARRAY) {
        addedStart = (int) parser.currentTokenLocation().getCharOffset();
        rules.set(section, tree(parser));
        addedEnd = (int) parser.currentLocation().getCharOffset();
      } else {
        rules.set(section, tree(parser));
      }
    }
    if (parser.nextToken() != null) {
      throw new IOException("something stands behind it");
    }
  }

  private ObjectNode model(JsonParser parser) throws IOException {
    ObjectNode model = JSON.createObjectNode();
    while (next(parser) == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      JsonToken first = next(parser);
      int start = (int) parser.currentTokenLocation().getCharOffset();
      switch (name) {
        case "vocab" -> {
          readVocabulary(parser, first);
          keep(name, start, parser);
        }
        case "merges" -> {
          skip(parser);
          keep(name, start, parser);
        }
        default -> model.set(name, tree(parser));
      }
    }
    return model;
  }

  private void keep(String name, int start, JsonParser parser) {
    pairs.add(new Place(name, start, (int) parser.currentLocation().getCharOffset()));
  }

  private void readVocabulary(JsonParser parser, JsonToken first) throws IOException {
    if (first == JsonToken.START_OBJECT) {
      while (next(parser) == JsonToken.FIELD_NAME) {
        String entry = parser.currentName();
        next(parser);
        put(entry, parser.getIntValue());
      }
    } else if (first == JsonToken.START_ARRAY) {
      // a unigram model lists [piece, score] pairs in the order of their ids
      while (next(parser) == JsonToken.START_ARRAY) {
        next(parser);
        put(parser.getText(), vocabularySize);
        while (next(parser) != JsonToken.END_ARRAY) {
          skip(parser);
        }
      }
    }
  }

  private void put(String entry, int id) {
    vocabulary.put(entry, id);
    vocabularySize++;
    largestId = Math.max(largestId, id);
  }

  private static JsonNode tree(JsonParser parser) throws IOException {
    switch (parser.currentToken()) {
      case START_OBJECT -> {
        ObjectNode object = JSON.createObjectNode();
        while (next(parser) == JsonToken.FIELD_NAME) {
          String name = parser.currentName();
          next(parser);
          object.set(name, tree(parser));
        }
        return object;
      }
      case START_ARRAY -> {
        ArrayNode array = JSON.createArrayNode();
        while (next(parser) != JsonToken.END_ARRAY) {
          array.add(tree(parser));
        }
        return array;
      }
      default -> {
        return JSON.readTree(parser);
      }
    }
  }

  private static void skip(JsonParser parser) throws IOException {
    int depth = parser.currentToken().isStructStart() ? 1 : 0;
    while (depth > 0) {
      JsonToken token = next(parser);
      depth += token.isStructStart() ? 1 : token.isStructEnd() ? -1 : 0;
    }
  }

  private static JsonToken next(JsonParser parser) throws IOException {
    JsonToken token = parser.nextToken();
    if (token == null) {
      throw new IOException("it ends in the middle");
    }
    if (token.isNumeric() && !Double.isFinite(parser.getDoubleValue())) {
      throw new IOException("it holds the number " + parser.getText());
    }
    if (token == JsonToken.FIELD_NAME || token == JsonToken.VALUE_STRING) {
      requireUnicode(parser);
    }
    return token;
  }

  private static void requireUnicode(JsonParser parser) throws IOException {
    char[] text = parser.getTextCharacters();
    int end = parser.getTextOffset() + parser.getTextLength();
    for (int i = parser.getTextOffset(); i < end; i++) {
      if (Character.isHighSurrogate(text[i])
          && i + 1 < end
          && Character.isLowSurrogate(text[i + 1])) {
        i++;
      } else if (Character.isSurrogate(text[i])) {
        throw new IOException("it holds half of a character");
      }
    }
  }
}
