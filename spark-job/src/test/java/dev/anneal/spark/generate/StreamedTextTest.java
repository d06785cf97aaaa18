package dev.anneal.spark.generate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.SpecialTokens;
import dev.anneal.storage.Storage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;

class StreamedTextTest {
  private static final Path MODEL =
      Path.of(System.getProperty("anneal.home"), "conf", "tiny", "model");

  @Test
  void charactersOfSeveralTokensComeWhole() {
    assertThat(pieces("n\u00e4\ud83d\ude42!", List.of()))
        .containsExactly("n", "", "\u00e4", "", "", "", "\ud83d\ude42", "!", "");
  }

  @Test
  void whatMayBeginAStopTextWaits() {
    assertThat(pieces("a stone, a stop, b", List.of("stop", "never")))
        .containsExactly(
            "a", " ", "", "", "", "sto", "", "ne,", " ", "a", " ", "", "", "", "", "", "", "", "");
    assertThat(String.join("", pieces("end", List.of("ending")))).isEqualTo("end");
  }

  @Test
  void theTokenizersTextComesWhole() {
    try (ChatTokenizer tokenizer =
        ChatTokenizer.load(MODEL.toString(), new Storage(new Configuration()))) {
      String text = "Aye, the caf\u00e9 \ud83d\ude42 \u6d77 sings:  two  blanks.";
      StreamedText streamed =
          new StreamedText(ids -> tokenizer.decode(ids, SpecialTokens.SKIP), List.of());
      StringBuilder told = new StringBuilder();
      for (int id : tokenizer.encode(text)) {
        String piece = streamed.add(id);
        assertThat(piece).doesNotContain("\uFFFD");
        told.append(piece);
      }
      assertThat(told.append(streamed.end(text)).toString()).isEqualTo(text);
    }
  }

  /** A byte a token; the last piece is what the end adds. */
  private static List<String> pieces(String text, List<String> stops) {
    StreamedText streamed = new StreamedText(StreamedTextTest::decode, stops);
    List<String> pieces = new ArrayList<>();
    for (byte token : text.getBytes(UTF_8)) {
      pieces.add(streamed.add(token));
    }
    pieces.add(streamed.end(text.substring(0, Answer.end(text, stops))));
    return pieces;
  }

  private static String decode(int[] bytes) {
    byte[] text = new byte[bytes.length];
    for (int i = 0; i < text.length; i++) {
      text[i] = (byte) bytes[i];
    }
    return new String(text, UTF_8);
  }
}
