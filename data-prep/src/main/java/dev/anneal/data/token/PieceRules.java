package dev.anneal.data.token;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Tells from {@code tokenizer.json} whether {@link PieceTokenizer} may do a tokenizer's work: byte
 * pairs within the pieces of {@link SplitPattern} and nothing before, between or after.
 */
final class PieceRules {
  private static final ObjectMapper JSON = new ObjectMapper();

  private PieceRules() {}

  /** The tokens that are looked for first; empty where pieces are not all there is to it. */
  static Optional<AddedTokens> read(String tokenizerJson) throws IOException {
    ObjectNode rules = withoutVocabulary(tokenizerJson);
    boolean piecewise =
        rules.path("normalizer").isNull()
            && splitsAsLlama(rules.path("pre_tokenizer"))
            && keepsOffsets(rules.path("post_processor"))
            && isPlainBytePairs(rules.path("model"));
    return piecewise ? addedTokens(rules.path("added_tokens")) : Optional.empty();
  }

  /**
   * Makes sure that the tokenizers library can load a tokenizer that is JSON.
   *
   * @throws IOException if the library would end the process
   */
  static void requireLoadable(String tokenizerJson) throws IOException {
    JsonNode model = withoutVocabulary(tokenizerJson).path("model");
    // it cuts the prefix off every merge, also off one that is shorter
    if (!model.path("type").asText().equals("WordPiece")
        && !model.path("continuing_subword_prefix").asText("").isEmpty()) {
      throw new IOException("its byte pairs have a continuing_subword_prefix");
    }
  }

  /** Ids of the tokens that are special. */
  static Set<Integer> specialIds(String tokenizerJson) throws IOException {
    Set<Integer> ids = new HashSet<>();
    for (JsonNode token : withoutVocabulary(tokenizerJson).path("added_tokens")) {
      if (token.path("special").asBoolean()) {
        ids.add(token.path("id").intValue());
      }
    }
    return Set.copyOf(ids);
  }

  private static boolean splitsAsLlama(JsonNode preTokenizer) {
    JsonNode steps = preTokenizer.path("pretokenizers");
    JsonNode split = steps.path(0);
    JsonNode bytes = steps.path(1);
    return preTokenizer.path("type").asText().equals("Sequence")
        && steps.size() == 2
        && split.path("type").asText().equals("Split")
        && split.path("pattern").path("Regex").asText().equals(SplitPattern.REGEX)
        && split.path("behavior").asText().equals("Isolated")
        && isFalse(split.path("invert"))
        && bytes.path("type").asText().equals("ByteLevel")
        && isFalse(bytes.path("add_prefix_space"))
        && isFalse(bytes.path("use_regex"));
  }

  // what is put in front or behind is not asked for, but offsets may be changed on the way
  private static boolean keepsOffsets(JsonNode postProcessor) {
    return switch (postProcessor.path("type").asText()) {
      case "Sequence" -> {
        for (JsonNode step : postProcessor.path("processors")) {
          if (!keepsOffsets(step)) {
            yield false;
          }
        }
        yield true;
      }
      case "ByteLevel" -> isFalse(postProcessor.path("trim_offsets"));
      case "TemplateProcessing" -> true;
      default -> postProcessor.isNull();
    };
  }

  private static boolean isPlainBytePairs(JsonNode model) {
    return model.path("type").asText().equals("BPE")
        && model.path("dropout").isNull()
        && model.path("continuing_subword_prefix").isNull()
        && model.path("end_of_word_suffix").isNull();
  }

  private static Optional<AddedTokens> addedTokens(JsonNode tokens) {
    List<AddedTokens.Token> found = new ArrayList<>();
    for (JsonNode token : tokens) {
      String content = token.path("content").asText();
      boolean plain =
          !content.isEmpty()
              && isFalse(token.path("single_word"))
              && isFalse(token.path("lstrip"))
              && isFalse(token.path("rstrip"))
              && isFalse(token.path("normalized"));
      if (!plain) {
        return Optional.empty();
      }
      found.add(new AddedTokens.Token(content, token.path("id").intValue()));
    }
    return Optional.of(new AddedTokens(found));
  }

  private static boolean isFalse(JsonNode value) {
    return value.isBoolean() && !value.booleanValue();
  }

  /** The rules without the megabytes of vocabulary and merges. */
  private static ObjectNode withoutVocabulary(String tokenizerJson) throws IOException {
    try (JsonParser parser = JSON.getFactory().createParser(tokenizerJson)) {
      parser.nextToken();
      return fields(parser);
    }
  }

  private static ObjectNode fields(JsonParser parser) throws IOException {
    ObjectNode fields = JSON.createObjectNode();
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      parser.nextToken();
      switch (name) {
        case "vocab", "merges" -> parser.skipChildren();
        case "model" -> fields.set(name, fields(parser));
        default -> fields.set(name, JSON.readTree(parser));
      }
    }
    return fields;
  }
}
