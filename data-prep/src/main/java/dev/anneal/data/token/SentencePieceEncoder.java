package dev.anneal.data.token;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Byte pairs as SentencePiece makes them, of characters, where a space is {@code ▁} and what has no
 * token becomes the tokens of its bytes. The library tokenizes a whole text, or each of its words
 * where a vocabulary has none of two, and the places of the tokens are told from their lengths, as
 * {@link ByteLevelEncoder} does.
 */
final class SentencePieceEncoder implements TextEncoder {
  private static final String SPACE = Character.toString(SpacePrefix.SPACE);
  private static final int SPACE_BYTES = 3;
  private static final Pattern BYTE = Pattern.compile("<0x[0-9A-F]{2}>");

  private final NativeTokenizer library;
  private final SpacePrefix prefix;
  // by id: bytes in UTF-8, and 0 for what no text becomes; of added tokens the text
  private final int[] bytes;
  private final String[] added;

  private SentencePieceEncoder(
      NativeTokenizer library,
      SpacePrefix prefix,
      TokenizerJson json,
      List<AddedTokens.Token> added) {
    this.library = library;
    this.prefix = prefix;
    this.bytes = new int[json.idBound()];
    this.added = new String[json.idBound()];
    json.vocabulary()
        .forEach(
            (entry, id) ->
                bytes[id] =
                    BYTE.matcher(entry).matches()
                        ? 1
                        : entry.getBytes(StandardCharsets.UTF_8).length);
    added.forEach(token -> this.added[token.id()] = token.content());
  }

  /**
   * The encoder of a tokenizer of byte pairs; empty where its rules are others.
   *
   * @param added tokens that take no more than their own text
   */
  static Optional<TextEncoder> of(
      TokenizerJson json, NativeTokenizer library, List<AddedTokens.Token> added) {
    JsonNode rules = json.rules();
    boolean bytesHaveTokens =
        rules.path("model").path("byte_fallback").asBoolean()
            && json.vocabulary().keySet().stream().filter(BYTE.asMatchPredicate()).count() == 256;
    return bytesHaveTokens
        ? prefix(rules.path("normalizer"), rules.path("pre_tokenizer"))
            .map(prefix -> encoder(library, prefix, json, added))
        : Optional.empty();
  }

  private static TextEncoder encoder(
      NativeTokenizer library,
      SpacePrefix prefix,
      TokenizerJson json,
      List<AddedTokens.Token> added) {
    boolean wholeWords = json.rules().path("model").path("ignore_merges").asBoolean();
    if (wholeWords || !SpacePattern.cuts(json.vocabulary().keySet())) {
      return new SentencePieceEncoder(library, prefix, json, added);
    }
    boolean each = json.rules().path("pre_tokenizer").path("split").asBoolean();
    TokenizerJson bare = json.with(withoutPrefix(json.rules(), each));
    NativeTokenizer pieces = new NativeTokenizer(bare.text());
    TextEncoder alone = new SentencePieceEncoder(pieces, SpacePrefix.NOWHERE, bare, added);
    return new PieceTokenizer(alone, new SpacePattern(each), new AddedTokens(added), prefix);
  }

  /** The rules that make of a piece what the whole rules make of it within a text. */
  private static ObjectNode withoutPrefix(ObjectNode rules, boolean each) {
    ObjectNode bare = rules.deepCopy();
    bare.putNull("normalizer");
    bare.putObject("pre_tokenizer")
        .put("type", "Metaspace")
        .put("replacement", SPACE)
        .put("prepend_scheme", "never")
        .put("split", each);
    return bare;
  }

  private static Optional<SpacePrefix> prefix(JsonNode normalizer, JsonNode preTokenizer) {
    List<JsonNode> steps = TokenizerJson.steps(normalizer, "normalizers");
    if (steps.isEmpty()) {
      return TextEncoders.isType(preTokenizer, "Metaspace")
              && preTokenizer.path("replacement").asText().equals(SPACE)
          ? switch (preTokenizer.path("prepend_scheme").asText()) {
            case "always" -> Optional.of(SpacePrefix.WHERE_NONE_IS);
            case "first" -> Optional.of(SpacePrefix.AT_THE_BEGIN);
            case "never" -> Optional.of(SpacePrefix.NOWHERE);
            default -> Optional.empty();
          }
          : Optional.empty();
    }
    boolean prepends =
        steps.size() == 2
            && TextEncoders.isType(steps.get(0), "Prepend")
            && steps.get(0).path("prepend").asText().equals(SPACE)
            && replacesSpaces(steps.get(1));
    return prepends && TextEncoders.isAbsent(preTokenizer)
        ? Optional.of(SpacePrefix.EVERYWHERE)
        : Optional.empty();
  }

  private static boolean replacesSpaces(JsonNode step) {
    return TextEncoders.isType(step, "Replace")
        && step.path("pattern").path("String").asText().equals(" ")
        && step.path("content").asText().equals(SPACE);
  }

  @Override
  public EncodedText encode(String text) {
    int[] ids = library.ids(text);
    int[] starts = new int[ids.length];
    int[] ends = new int[ids.length];
    Walk walk = new Walk(text);
    for (int i = 0; i < ids.length; i++) {
      int id = ids[i];
      boolean known = id < bytes.length && (added[id] != null || bytes[id] > 0);
      starts[i] = walk.reached();
      if (!known || !(added[id] != null ? walk.pass(added[id]) : walk.pass(bytes[id]))) {
        return library.encode(text);
      }
      ends[i] = walk.passed();
    }
    return walk.isAtEnd() ? new EncodedText(ids, starts, ends) : library.encode(text);
  }

  @Override
  public void close() {
    library.close();
  }

  @Override
  public int[] ids(String text) {
    return library.ids(text);
  }

  /** Goes through a text, character by character, as tokens of so many bytes do. */
  private final class Walk {
    private final String text;
    private int index;
    private int codePoint;
    private int last;
    // of the character under way
    private int bytesLeft;
    private boolean mayPrefix = true;

    Walk(String text) {
      this.text = text;
    }

    /** Whether the text goes on with this added token, which is then behind. */
    boolean pass(String token) {
      if (bytesLeft > 0 || !text.startsWith(token, index)) {
        return false;
      }
      index += token.length();
      codePoint += token.codePointCount(0, token.length());
      last = codePoint - 1;
      mayPrefix = true;
      return true;
    }

    /** Whether the text has so many bytes more, which are then behind. */
    boolean pass(int bytes) {
      int toGo = bytes;
      while (toGo > 0) {
        if (bytesLeft == 0 && !next()) {
          return false;
        }
        int taken = Math.min(toGo, bytesLeft);
        bytesLeft -= taken;
        toGo -= taken;
      }
      return true;
    }

    private boolean next() {
      if (index == text.length()) {
        return false;
      }
      if (isPrefixed()) {
        // it stands for the character behind it
        bytesLeft = SPACE_BYTES;
        last = codePoint;
      } else {
        int c = text.codePointAt(index);
        bytesLeft = c == ' ' ? SPACE_BYTES : CharacterKind.utf8Bytes(c);
        last = codePoint++;
        index += Character.charCount(c);
      }
      mayPrefix = false;
      return true;
    }

    private boolean isPrefixed() {
      return mayPrefix && prefix.isBefore(text.charAt(index), index == 0);
    }

    /** The character that the next token begins with or within. */
    int reached() {
      return bytesLeft > 0 ? last : codePoint;
    }

    /** Behind the last character that a token stands for. */
    int passed() {
      return last + 1;
    }

    boolean isAtEnd() {
      return index == text.length() && bytesLeft == 0;
    }
  }
}
