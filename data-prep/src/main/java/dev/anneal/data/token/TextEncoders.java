package dev.anneal.data.token;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Tells from {@code tokenizer.json} the fastest way to what the tokenizers library makes of a text:
 * piece by piece where the pieces can be cut here, from the lengths of tokens where all are bytes
 * or as SentencePiece makes them, else by the library alone.
 */
final class TextEncoders {
  private TextEncoders() {}

  /** The encoder for a tokenizer that the library has loaded. */
  static TextEncoder of(TokenizerJson json, NativeTokenizer library) {
    JsonNode rules = json.rules();
    if (!keepsOffsets(rules.path("post_processor")) || !isPlainBytePairs(rules.path("model"))) {
      return library;
    }
    return addedTokens(json)
        .flatMap(
            added ->
                byteLevel(json, library, added)
                    .or(() -> SentencePieceEncoder.of(json, library, added)))
        .orElse(library);
  }

  /** An encoder where tokens are made of bytes; empty where they are not. */
  private static Optional<TextEncoder> byteLevel(
      TokenizerJson json, NativeTokenizer library, List<AddedTokens.Token> added) {
    List<JsonNode> normalizers =
        TokenizerJson.steps(json.rules().path("normalizer"), "normalizers");
    boolean composes = normalizers.size() == 1 && isType(normalizers.get(0), "NFC");
    List<JsonNode> steps = TokenizerJson.steps(json.rules().path("pre_tokenizer"), "pretokenizers");
    if (!(normalizers.isEmpty() || composes)
        || steps.isEmpty()
        || !isByteLevel(steps.get(steps.size() - 1))) {
      return Optional.empty();
    }
    TextEncoder encoder =
        preTokenizer(steps)
            .<TextEncoder>map(cut -> new PieceTokenizer(library, cut, new AddedTokens(added)))
            .orElseGet(() -> new ByteLevelEncoder(library, json, added));
    BytesWithoutToken missing = BytesWithoutToken.of(json.vocabulary());
    TextEncoder whole = missing.isEmpty() ? encoder : whereAllBytesAre(encoder, library, missing);
    return Optional.of(composes ? whereNormal(whole, library) : whole);
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
    // characters that are newer than this Java are the library's in every encoder
    return text ->
        Normalizer.isNormalized(text, Normalizer.Form.NFC)
            ? encoder.encode(text)
            : library.encode(text);
  }

  /** Texts of whose bytes each has a token, and the library for the others. */
  private static TextEncoder whereAllBytesAre(
      TextEncoder encoder, NativeTokenizer library, BytesWithoutToken missing) {
    return text -> missing.areIn(text) ? library.encode(text) : encoder.encode(text);
  }

  /**
   * The way to cut texts; empty where it is none of those that are known here.
   *
   * @param steps the last of which turns texts into bytes
   */
  private static Optional<PreTokenizer> preTokenizer(List<JsonNode> steps) {
    JsonNode first = steps.get(0);
    boolean byPattern = hasPattern(steps.get(steps.size() - 1));
    if (steps.size() == 1) {
      return byPattern ? Optional.of(new Gpt2Pattern()) : Optional.empty();
    }
    if (steps.size() == 2 && byPattern && isType(first, "Digits")) {
      boolean each = first.path("individual_digits").asBoolean();
      return Optional.of(PreTokenizer.within(new DigitsApart(each), new Gpt2Pattern()));
    }
    boolean isSplit =
        isType(first, "Split")
            && first.path("behavior").asText().equals("Isolated")
            && isFalse(first.path("invert"));
    return steps.size() == 2 && !byPattern && isSplit
        ? LlamaPattern.of(first.path("pattern").path("Regex").asText())
        : Optional.empty();
  }

  private static boolean isByteLevel(JsonNode step) {
    return isType(step, "ByteLevel") && isFalse(step.path("add_prefix_space"));
  }

  /** Whether a step of bytes cuts by the pattern of GPT-2; files older than the setting mean so. */
  private static boolean hasPattern(JsonNode bytes) {
    return bytes.path("use_regex").asBoolean(true);
  }

  static boolean isType(JsonNode step, String type) {
    return step.path("type").asText().equals(type);
  }

  // what is put in front or behind is not asked for, but offsets may be changed on the way
  private static boolean keepsOffsets(JsonNode postProcessor) {
    return TokenizerJson.steps(postProcessor, "processors").stream()
        .allMatch(
            step ->
                isType(step, "TemplateProcessing")
                    || (isType(step, "ByteLevel") && isFalse(step.path("trim_offsets"))));
  }

  private static boolean isPlainBytePairs(JsonNode model) {
    return isType(model, "BPE")
        && isAbsent(model.path("dropout"))
        && model.path("continuing_subword_prefix").asText("").isEmpty()
        && model.path("end_of_word_suffix").asText("").isEmpty();
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

  static boolean isAbsent(JsonNode value) {
    return value.isNull() || value.isMissingNode();
  }

  private static boolean isFalse(JsonNode value) {
    return value.isBoolean() && !value.booleanValue();
  }
}
