package dev.anneal.data.token;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Tells from {@code tokenizer.json} the fastest way to what the tokenizers library makes of a text:
 * piece by piece where the pieces can be cut here, from the bytes of tokens where all are bytes,
 * else by the library alone.
 */
final class TextEncoders {
  private TextEncoders() {}

  /** The encoder for a tokenizer that the library has loaded. */
  static TextEncoder of(TokenizerJson json, NativeTokenizer library) {
    JsonNode rules = json.rules();
    if (!keepsOffsets(rules.path("post_processor")) || !isPlainBytePairs(json)) {
      return library;
    }
    Optional<List<AddedTokens.Token>> added = addedTokens(json);
    if (added.isEmpty()) {
      return library;
    }
    TextEncoder encoder =
        preTokenizer(rules.path("pre_tokenizer"))
            .<TextEncoder>map(cut -> new PieceTokenizer(library, cut, new AddedTokens(added.get())))
            .orElse(null);
    if (encoder == null && endsInBytes(rules.path("pre_tokenizer"))) {
      encoder = new ByteLevelEncoder(library, json, added.get());
    }
    JsonNode normalizer = rules.path("normalizer");
    if (encoder == null || normalizer.isNull() || normalizer.isMissingNode()) {
      return encoder == null ? library : encoder;
    }
    return normalizer.path("type").asText().equals("NFC") ? whereNormal(encoder, library) : library;
  }

  /**
   * Makes sure that the tokenizers library can load a tokenizer that is JSON.
   *
   * @throws IOException if the library would end the process
   */
  static void requireLoadable(TokenizerJson json) throws IOException {
    JsonNode model = json.rules().path("model");
    // it cuts the prefix off every merge, also off one that is shorter
    if (!model.path("type").asText().equals("WordPiece")
        && !model.path("continuing_subword_prefix").asText("").isEmpty()) {
      throw new IOException("its byte pairs have a continuing_subword_prefix");
    }
  }

  /** Texts that the normalizer leaves as they are, and the library for the others. */
  private static TextEncoder whereNormal(TextEncoder encoder, NativeTokenizer library) {
    return text ->
        // characters that are newer than this Java may be composed by the library
        CharacterKind.covers(text) && Normalizer.isNormalized(text, Normalizer.Form.NFC)
            ? encoder.encode(text)
            : library.encode(text);
  }

  /** The way to cut texts; empty where it is none of those that are known here. */
  private static Optional<PreTokenizer> preTokenizer(JsonNode rules) {
    List<JsonNode> steps = steps(rules);
    boolean digitsFirst = steps.size() == 2 && isType(steps.get(0), "Digits");
    if (digitsFirst && isByteLevel(steps.get(1), true)) {
      boolean each = steps.get(0).path("individual_digits").asBoolean();
      return Optional.of(PreTokenizer.within(new DigitsApart(each), new Gpt2Pattern()));
    }
    if (steps.size() == 1 && isByteLevel(steps.get(0), true)) {
      return Optional.of(new Gpt2Pattern());
    }
    if (steps.size() == 2 && isType(steps.get(0), "Split") && isByteLevel(steps.get(1), false)) {
      JsonNode split = steps.get(0);
      return split.path("behavior").asText().equals("Isolated") && isFalse(split.path("invert"))
          ? LlamaPattern.of(split.path("pattern").path("Regex").asText())
          : Optional.empty();
    }
    return Optional.empty();
  }

  private static boolean endsInBytes(JsonNode preTokenizer) {
    List<JsonNode> steps = steps(preTokenizer);
    JsonNode last = steps.get(steps.size() - 1);
    return isByteLevel(last, true) || isByteLevel(last, false);
  }

  private static List<JsonNode> steps(JsonNode preTokenizer) {
    JsonNode several = preTokenizer.path("pretokenizers");
    if (several.isEmpty()) {
      return List.of(preTokenizer);
    }
    List<JsonNode> steps = new ArrayList<>();
    several.forEach(steps::add);
    return steps;
  }

  private static boolean isByteLevel(JsonNode step, boolean usesPattern) {
    JsonNode pattern = step.path("use_regex");
    return isType(step, "ByteLevel")
        && isFalse(step.path("add_prefix_space"))
        // files older than the setting mean true
        && (pattern.isMissingNode() ? usesPattern : pattern.asBoolean() == usesPattern);
  }

  private static boolean isType(JsonNode step, String type) {
    return step.path("type").asText().equals(type);
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
      default -> postProcessor.isNull() || postProcessor.isMissingNode();
    };
  }

  private static boolean isPlainBytePairs(TokenizerJson json) {
    JsonNode model = json.rules().path("model");
    return isType(model, "BPE")
        && (model.path("dropout").isNull() || model.path("dropout").isMissingNode())
        && model.path("continuing_subword_prefix").asText("").isEmpty()
        && model.path("end_of_word_suffix").asText("").isEmpty()
        && hasAllBytes(json.vocabulary());
  }

  /** Whether every byte has a token, as {@code ByteLevel} writes bytes: no text is unknown. */
  private static boolean hasAllBytes(Map<String, Integer> vocabulary) {
    IntStream asThemselves =
        IntStream.range(0x21, 0x100).filter(c -> c < 0x7f || (c > 0xa0 && c != 0xad));
    IntStream moved = IntStream.range(0x100, 0x144);
    return IntStream.concat(asThemselves, moved)
        .allMatch(c -> vocabulary.containsKey(Character.toString(c)));
  }

  /** The tokens that are looked for first; empty where one takes more than its own text. */
  private static Optional<List<AddedTokens.Token>> addedTokens(TokenizerJson json) {
    List<AddedTokens.Token> found = new ArrayList<>();
    for (JsonNode token : json.addedTokens()) {
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
    return Optional.of(found);
  }

  private static boolean isFalse(JsonNode value) {
    return value.isBoolean() && !value.booleanValue();
  }
}
