package dev.anneal.data.token;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;

/** Reads the largest id out of a {@code tokenizer.json} without building its tree. */
final class Vocabulary {
  private Vocabulary() {}

  /** Largest id of the vocabulary and the added tokens, plus one. */
  static int size(String tokenizerJson) throws IOException {
    int largest = -1;
    try (JsonParser parser = new JsonFactory().createParser(tokenizerJson)) {
      parser.nextToken();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String section = parser.currentName();
        parser.nextToken();
        switch (section) {
          case "added_tokens" -> largest = Math.max(largest, largestAddedToken(parser));
          case "model" -> largest = Math.max(largest, largestInModel(parser));
          default -> parser.skipChildren();
        }
      }
    }
    return largest + 1;
  }

  private static int largestAddedToken(JsonParser parser) throws IOException {
    int largest = -1;
    while (parser.nextToken() != JsonToken.END_ARRAY && parser.currentToken() != null) {
      if (parser.currentToken() == JsonToken.FIELD_NAME && "id".equals(parser.currentName())) {
        parser.nextToken();
        largest = Math.max(largest, parser.getIntValue());
      }
    }
    return largest;
  }

  private static int largestInModel(JsonParser parser) throws IOException {
    int largest = -1;
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      boolean isVocabulary = "vocab".equals(parser.currentName());
      JsonToken start = parser.nextToken();
      if (!isVocabulary) {
        parser.skipChildren();
      } else if (start == JsonToken.START_OBJECT) {
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
          parser.nextToken();
          largest = Math.max(largest, parser.getIntValue());
        }
      } else {
        // A unigram model lists [piece, score] pairs in the order of their ids.
        while (parser.nextToken() == JsonToken.START_ARRAY) {
          parser.skipChildren();
          largest++;
        }
      }
    }
    return largest;
  }
}
