package dev.anneal.data.token;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.Shared;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Every way to encode gives what the library gives for the whole text: ids and places. The
 * tokenizers are Llama's with the rules of others.
 */
class TextEncodersTest {
  private static final int[] TRICKY = {
    ' ', ' ', ' ', '\n', '\r', '\t', '\'', '\'', 's', 'S', 't', 'r', 'e', 'V', 'l', 'L', 'd', 'a',
    'Z', '0', '7', '9', '.', ',', '!', '<', '|', '>', '_', '-', 0x0b, 0x1c, 0x7f, 0x85, 0xa0, 0xad,
    0xb2, 0xbd, 0xe9, 0x130, 0x17f, 0x2b0, 0x301, 0x3a9, 0x5d0, 0x661, 0x964, 0x1680, 0x180e,
    0x1e9e, 0x2003, 0x200b, 0x200d, 0x2019, 0x2028, 0x2029, 0x202f, 0x205f, 0x2160, 0x212a, 0x3000,
    0x3042, 0x4e2d, 0xac00, 0xe000, 0xfe0f, 0xfeff, 0xfffd, 0x1d7d8, 0x1f600, 0x1f44d, 0x20000,
    0x10ffff
  };
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
      tree.set(
          "normalizer",
          normalizer == null
              ? NullNode.getInstance()
              : JSON.createObjectNode().put("type", normalizer));
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
        Check check = new Check(library, encoder);
        check.everyAlpacaText();
        check.anyText();
        // all look at characters alike
        check.everyCharacter(rules == Rules.LLAMA_3 || rules == Rules.GPT_2 ? 1 : 20);
        check.specialTokens();
      }
    }
  }

  /** One encoder beside the library. */
  private record Check(NativeTokenizer library, TextEncoder encoder) {
    void everyAlpacaText() throws IOException {
      int row = 0;
      for (JsonNode fields : JSON.readTree(Shared.alpaca().toFile())) {
        if (row++ % 16 == 0) {
          for (String field : List.of("instruction", "input", "output")) {
            assertSame(fields.get(field).textValue());
          }
        }
      }
    }

    void anyText() {
      Random random = new Random(11);
      for (int i = 0; i < 8_000; i++) {
        StringBuilder text = new StringBuilder();
        int length = random.nextInt(24);
        for (int c = 0; c < length; c++) {
          text.appendCodePoint(TRICKY[random.nextInt(TRICKY.length)]);
        }
        assertSame(text.toString());
      }
    }

    void everyCharacter(int step) {
      IntStream all =
          IntStream.concat(IntStream.range(0, 0x20000), IntStream.range(0xe0000, 0xe0200));
      // of thousands of ideographs and syllables a few
      all.filter(c -> c < 0x3400 || (c > 0xd7ff && c < 0x17000) || c > 0x1b000 || c % 211 == 0)
          .filter(c -> c % step == 0 && Character.getType(c) != Character.SURROGATE)
          .mapToObj(Character::toString)
          .forEach(c -> assertSame("a" + c + "b" + c + c + " " + c + "1\n"));
    }

    void specialTokens() {
      assertSame("<|begin_of_text|>");
      assertSame("");
      assertSame("a <|eot_id|> b<|eot_id|><|eot_id|>  c<|eot_id|");
      assertSame(
          "<<|eot_id|>>\n\n<|start_header_id|>user<|end_header_id|>\n\nHi  <|reserved_special_token_1|>");
      assertSame(" \ud83d\ude00 é<|eot_id|>\ud83d\ude00 é");
    }

    private void assertSame(String text) {
      EncodedText expected = library.encode(text);
      EncodedText actual = encoder.encode(text);
      // AssertJ would take longer than both encoders
      if (!Arrays.equals(actual.ids(), expected.ids())
          || !Arrays.equals(actual.starts(), expected.starts())
          || !Arrays.equals(actual.ends(), expected.ends())
          || !Arrays.equals(encoder.ids(text), expected.ids())) {
        assertThat(actual).as(text).usingRecursiveComparison().isEqualTo(expected);
        assertThat(encoder.ids(text)).as(text).isEqualTo(expected.ids());
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
            "\"lstrip\":false", "\"lstrip\":true",
            "\"\u00c3\":", "\"\u00c3\u00c3\u00c3\":");
    String small = JSON.writeValueAsString(JSON.readTree(llama));
    for (Map.Entry<String, String> change : changes.entrySet()) {
      assertThat(small).contains(change.getKey());
      String changed = small.replaceFirst(Pattern.quote(change.getKey()), change.getValue());
      assertThat(TextEncoders.of(TokenizerJson.parse(changed), null))
          .as(changed.substring(0, 80))
          .isNull();
    }
  }

  @Test
  void cutsThePiecesOfTheBundledTokenizer() throws Exception {
    Path bundled = Path.of(System.getProperty("anneal.home"), "conf/tiny/model/tokenizer.json");
    TokenizerJson json = TokenizerJson.parse(Files.readString(bundled));
    assertThat(TextEncoders.of(json, null)).isInstanceOf(PieceTokenizer.class);
  }
}
