package dev.anneal.data.token;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;

/**
 * Whether {@code tokenizer.json} is a JSON object that the tokenizers library can parse. It has to
 * be known before: where the library meets broken JSON in the middle of a component it ends the
 * process.
 */
final class TokenizerSyntax {
  private static final int MAX_DEPTH = 64;
  private static final int MAX_CHARACTERS = 256 << 20;

  private static final JsonFactory STRICT =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(MAX_DEPTH)
                  .maxDocumentLength(MAX_CHARACTERS)
                  .build())
          .build();

  private TokenizerSyntax() {}

  /**
   * @throws IOException if it is not
   */
  static void require(String tokenizerJson) throws IOException {
    try (JsonParser parser = STRICT.createParser(tokenizerJson)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw new IOException("it is not a JSON object");
      }
      int depth = 1;
      while (depth > 0) {
        JsonToken token = parser.nextToken();
        if (token == null) {
          throw new IOException("it ends in the middle");
        }
        depth += token.isStructStart() ? 1 : token.isStructEnd() ? -1 : 0;
        requireReadable(token, parser);
      }
      if (parser.nextToken() != null) {
        throw new IOException("something stands behind it");
      }
    }
  }

  private static void requireReadable(JsonToken token, JsonParser parser) throws IOException {
    if (token.isNumeric() && !Double.isFinite(parser.getDoubleValue())) {
      throw new IOException("it holds the number " + parser.getText());
    }
    if (token == JsonToken.FIELD_NAME || token == JsonToken.VALUE_STRING) {
      requireUnicode(parser);
    }
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
