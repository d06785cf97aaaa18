package dev.anneal.data.token;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.Shared;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Every way to encode gives what the library gives for the whole text: ids and places. The
 * tokenizers are Llama's with the rules of others.
 */
class TextEncodersTest {
  private static final String LLAMA =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
          + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String GPT4O =
      "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
          + "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final ObjectMapper JSON = new ObjectMapper();
  private static String llama;

  @BeforeAll
  static void read() throws Exception {
    llama = Files.readString(Shared.llamaTokenizer().resolve("tokenizer.json"));
  }

  /** Rules that a published tokenizer has. */
  private enum Rules {
    LLAMA_3(PieceTokenizer.class, null, split(LLAMA), bytes(false)),
    QWEN(null, "NFC", split(LLAMA.replace("{1,3}", "")), bytes(false)),
    GPT_2(PieceTokenizer.class, null, bytes(true)),
    /** As transformers writes one that it has made from GGUF. */
    GPT_2_CONVERTED(PieceTokenizer.class, "Sequence", bytes(true)),
    SMOL_LM(PieceTokenizer.class, null, digits(true), bytes(true)),
    DIGITS_TOGETHER(PieceTokenizer.class, null, digits(false), bytes(true)),
    GPT_4O(ByteLevelEncoder.class, null, split(GPT4O), bytes(false)),
    PUNCTUATION(
        ByteLevelEncoder.class,
        null,
        json("{'type':'Punctuation','behavior':'Isolated'}"),
        bytes(true)),
    SPACE_IN_FRONT(
        NativeTokenizer.class, null, bytes(true).replace("space\":false", "space\":true")),
    COMPOSED_OTHERWISE(NativeTokenizer.class, "NFKC", bytes(true));

    private final Class<?> encoder;
    private final String normalizer;
    private final String preTokenizer;

    Rules(Class<?> encoder, String normalizer, String... steps) {
      this.encoder = encoder;
      this.normalizer = normalizer;
      this.preTokenizer =
          steps.length == 1
              ? steps[0]
              : json("{'type':'Sequence','pretokenizers':[%s]}").formatted(String.join(",", steps));
    }

    private static String split(String regex) {
      return json("{'type':'Split','pattern':{'Regex':%s},'behavior':'Isolated','invert':false}")
          .formatted(JSON.valueToTree(regex));
    }

    private static String bytes(boolean pattern) {
      return json("{'type':'ByteLevel','add_prefix_space':false,'trim_offsets':true,'use_regex':%s}")
          .formatted(pattern);
    }

    private static String digits(boolean each) {
      return json("{'type':'Digits','individual_digits':%s}").formatted(each);
    }

    private static String json(String inSingleQuotes) {
      return inSingleQuotes.replace('\'', '"');
    }

    /** Llama's vocabulary under these rules. */
    private String tokenizerJson() throws IOException {
      ObjectNode tree = (ObjectNode) JSON.readTree(llama);
      tree.set("normalizer", NullNode.getInstance());
      if (normalizer != null) {
        // only a sequence looks at the list
        tree.putObject("normalizer").put("type", normalizer).putArray("normalizers");
      }
      tree.set("pre_tokenizer", JSON.readTree(preTokenizer));
      return JSON.writeValueAsString(tree);
    }
  }

  @ParameterizedTest
  @EnumSource(Rules.class)
  void encodesAsTheLibraryDoes(Rules rules) throws Exception {
    TokenizerJson json = TokenizerJson.parse(rules.tokenizerJson());
    try (NativeTokenizer library = new NativeTokenizer(json.text())) {
      TextEncoder encoder = TextEncoders.of(json, library);
      if (rules.encoder != null) {
        assertThat(encoder).isInstanceOf(rules.encoder);
      } else {
        assertThat(encoder).isNotInstanceOf(NativeTokenizer.class);
      }
      if (encoder != library) {
        EncoderCheck check = new EncoderCheck(library, encoder);
        check.everyAlpacaText();
        check.anyText();
        // all look at characters alike
        check.everyCharacter(rules == Rules.LLAMA_3 || rules == Rules.GPT_2 ? 1 : 20);
        check.addedTokens("<|eot_id|>", "<|start_header_id|>");
      }
    }
  }

  @Test
  void leavesTokenizersThatDoMoreToTheLibrary() throws Exception {
    Map<String, String> changes =
        Map.of(
            "\"normalizer\":null", "\"normalizer\":{\"type\":\"Lowercase\"}",
            "\"trim_offsets\":false", "\"trim_offsets\":true",
            "\"dropout\":null", "\"dropout\":0.1",
            "\"lstrip\":false", "\"lstrip\":true");
    String small = JSON.writeValueAsString(JSON.readTree(llama));
    for (Map.Entry<String, String> change : changes.entrySet()) {
      assertThat(small).contains(change.getKey());
      String changed = small.replaceFirst(Pattern.quote(change.getKey()), change.getValue());
      assertThat(TextEncoders.of(TokenizerJson.parse(changed), null))
          .as(changed.substring(0, 80))
          .isNull();
    }
  }

  /** SmolLM's vocabulary lacks control characters and the first bytes of planes without any. */
  @Test
  void asksTheLibraryWhereABytesTokenIsMissing() throws Exception {
    ObjectNode tree = (ObjectNode) JSON.readTree(llama);
    ObjectNode vocabulary = (ObjectNode) tree.at("/model/vocab");
    // the tokens of the bytes 4 and f1
    vocabulary.remove(List.of("\u0104", "\u00f1"));
    ArrayNode merges = (ArrayNode) tree.at("/model/merges");
    for (int i = merges.size() - 1; i >= 0; i--) {
      if (merges.get(i).toString().matches(".*[\u0104\u00f1].*")) {
        merges.remove(i);
      }
    }
    TokenizerJson json = TokenizerJson.parse(JSON.writeValueAsString(tree));
    try (NativeTokenizer library = new NativeTokenizer(json.text())) {
      TextEncoder encoder = TextEncoders.of(json, library);
      assertThat(encoder).isNotSameAs(library);
      EncoderCheck check = new EncoderCheck(library, encoder);
      check.anyText();
      for (String text : List.of("a\u0004b c", "\u0004", "x \ud900\udc00 y", "\u00f1 n")) {
        check.assertSame(text);
      }
    }
  }

  @Test
  void cutsThePiecesOfTheBundledTokenizer() throws Exception {
    Path bundled = Path.of(System.getProperty("anneal.home"), "conf/tiny/model/tokenizer.json");
    TokenizerJson json = TokenizerJson.parse(Files.readString(bundled));
    assertThat(TextEncoders.of(json, null)).isInstanceOf(PieceTokenizer.class);
  }
}
