package dev.anneal.data.token;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.Shared;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Piece by piece gives what the library gives for the whole text: ids and offsets. */
class PieceTokenizerTest {
  private static final int[] TRICKY = {
    ' ', ' ', ' ', '\n', '\r', '\t', '\'', '\'', 's', 'S', 't', 'r', 'e', 'V', 'l', 'L', 'd', 'a',
    'Z', '0', '7', '9', '.', ',', '!', '<', '|', '>', '_', '-', 0x0b, 0x1c, 0x7f, 0x85, 0xa0, 0xad,
    0xb2, 0xbd, 0xe9, 0x130, 0x17f, 0x2b0, 0x301, 0x3a9, 0x5d0, 0x661, 0x964, 0x1680, 0x180e,
    0x1e9e, 0x2003, 0x200b, 0x200d, 0x2019, 0x2028, 0x2029, 0x202f, 0x205f, 0x2160, 0x212a, 0x3000,
    0x3042, 0x4e2d, 0xac00, 0xe000, 0xfe0f, 0xfeff, 0xfffd, 0x1d7d8, 0x1f600, 0x1f44d, 0x20000,
    0x10ffff
  };
  private static String json;
  private static NativeTokenizer library;
  private static PieceTokenizer pieces;

  @BeforeAll
  static void load() throws Exception {
    json = Files.readString(Shared.llamaTokenizer().resolve("tokenizer.json"));
    library = new NativeTokenizer(json);
    pieces = new PieceTokenizer(library, PieceRules.read(json).orElseThrow());
  }

  @AfterAll
  static void close() {
    if (library != null) {
      library.close();
    }
  }

  @Test
  void tokenizesEveryAlpacaTextAsTheLibraryDoes() throws Exception {
    for (JsonNode row : new ObjectMapper().readTree(Shared.alpaca().toFile())) {
      for (String field : List.of("instruction", "input", "output")) {
        assertSame(row.get(field).textValue());
      }
    }
  }

  @Test
  void cutsAnyTextAsTheLibraryDoes() {
    Random random = new Random(11);
    for (int i = 0; i < 20_000; i++) {
      StringBuilder text = new StringBuilder();
      int length = random.nextInt(24);
      for (int c = 0; c < length; c++) {
        text.appendCodePoint(TRICKY[random.nextInt(TRICKY.length)]);
      }
      assertSame(text.toString());
    }
  }

  @Test
  void classifiesEveryCharacterAsTheLibraryDoes() {
    IntStream all =
        IntStream.concat(IntStream.range(0, 0x20000), IntStream.range(0xe0000, 0xe0200));
    // of thousands of ideographs and syllables, every seventh
    all.filter(c -> c < 0x3400 || (c > 0xd7ff && c < 0x17000) || c > 0x1b000 || c % 7 == 0)
        .filter(c -> Character.getType(c) != Character.SURROGATE)
        .mapToObj(Character::toString)
        .forEach(c -> assertSame("a" + c + "b" + c + c + " " + c + "1\n"));
  }

  @Test
  void findsSpecialTokensWhereverTheyStand() {
    assertSame("<|begin_of_text|>");
    assertSame("");
    assertSame("a <|eot_id|> b<|eot_id|><|eot_id|>  c<|eot_id|");
    assertSame(
        "<<|eot_id|>>\n\n<|start_header_id|>user<|end_header_id|>\n\nHi  <|reserved_special_token_1|>");
    assertSame(" \ud83d\ude00 é<|eot_id|>\ud83d\ude00 é");
  }

  @Test
  void leavesTokenizersThatDoMoreToTheLibrary() throws Exception {
    String small = withoutVocabulary();
    assertThat(PieceRules.read(small)).isPresent();
    Map<String, String> changes =
        Map.of(
            "\"normalizer\":null", "\"normalizer\":{\"type\":\"NFC\"}",
            "\\\\p{N}{1,3}", "\\\\p{N}",
            "\"behavior\":\"Isolated\"", "\"behavior\":\"Removed\"",
            "\"add_prefix_space\":false", "\"add_prefix_space\":true",
            "\"trim_offsets\":false", "\"trim_offsets\":true",
            "\"dropout\":null", "\"dropout\":0.1",
            "\"lstrip\":false", "\"lstrip\":true");
    changes.forEach(
        (from, to) -> {
          assertThat(small).contains(from);
          assertThat(rules(small.replace(from, to))).as(to).isEmpty();
        });
    assertThat(
            PieceRules.read(
                Files.readString(
                    Path.of(System.getProperty("anneal.home"), "conf/tiny/model/tokenizer.json"))))
        .isPresent();
  }

  private static Optional<AddedTokens> rules(String tokenizerJson) {
    try {
      return PieceRules.read(tokenizerJson);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String withoutVocabulary() throws Exception {
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode tree = (ObjectNode) mapper.readTree(json);
    ((ObjectNode) tree.get("model")).remove(List.of("vocab", "merges"));
    return mapper.writeValueAsString(tree);
  }

  private static void assertSame(String text) {
    EncodedText expected = library.encodeWithOffsets(text);
    EncodedText actual = pieces.encode(text);
    assertThat(actual.ids()).as(text).isEqualTo(expected.ids());
    assertThat(actual.starts()).as(text).isEqualTo(expected.starts());
    assertThat(actual.ends()).as(text).isEqualTo(expected.ends());
  }
}
