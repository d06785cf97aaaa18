package dev.anneal.data.token;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.Shared;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/** One encoder beside the library: ids and places. */
record EncoderCheck(NativeTokenizer library, TextEncoder encoder) {
  private static final int[] TRICKY = {
    ' ', ' ', ' ', '\n', '\r', '\t', '\'', '\'', 's', 'S', 't', 'r', 'e', 'V', 'l', 'L', 'd', 'a',
    'Z', '0', '7', '9', '.', ',', '!', '<', '|', '>', '_', '-', 0x0b, 0x1c, 0x7f, 0x85, 0xa0, 0xad,
    0xb2, 0xbd, 0xe9, 0x130, 0x17f, 0x2b0, 0x301, 0x3a9, 0x5d0, 0x661, 0x964, 0x1680, 0x180e,
    0x1e9e, 0x2003, 0x200b, 0x200d, 0x2019, 0x2028, 0x2029, 0x202f, 0x205f, 0x2160, 0x212a, 0x3000,
    0x3042, 0x4e2d, 0xac00, 0xe000, 0xfe0f, 0xfeff, 0xfffd, 0x1d7d8, 0x1f600, 0x1f44d, 0x20000,
    0x10ffff
  };
  private static final ObjectMapper JSON = new ObjectMapper();

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

  /** Texts with two tokens that are looked for first. */
  void addedTokens(String token, String other) {
    assertSame("");
    for (String text :
        List.of(
            "T",
            "a T b TT  cT",
            "a T",
            " TaT b",
            "<T>\n\nOuserO\n\nHi  T ",
            " \ud83d\ude00 éT\ud83d\ude00 é")) {
      assertSame(text.replace("T", token).replace("O", other));
    }
    assertSame("a" + token.substring(0, token.length() - 1) + " b");
  }

  void assertSame(String text) {
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
