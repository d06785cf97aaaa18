package dev.anneal.spark.train;

import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.SpecialTokens;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.generate.StopStrings;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/** Ends continuations at texts. */
final class TextStops implements StopStrings {
  /** Tokens before a text that may change how its first one reads, or read as nothing. */
  private static final int BEFORE = 8;

  private final List<String> texts;
  private final ChatTokenizer tokenizer;
  private final int window;

  /**
   * @param texts none of them empty
   */
  TextStops(List<String> texts, ChatTokenizer tokenizer) {
    this.texts = List.copyOf(texts);
    this.tokenizer = tokenizer;
    // a token is a byte of text or more
    this.window =
        BEFORE
            + texts.stream()
                .mapToInt(text -> text.getBytes(StandardCharsets.UTF_8).length)
                .max()
                .orElse(0);
  }

  @Override
  public Watcher watch(Prompt prompt) {
    return new Window();
  }

  /** The last tokens, which hold any text that the newest one completes. */
  private final class Window implements Watcher {
    private int[] last = new int[0];

    @Override
    public boolean ends(int token) {
      int from = Math.max(0, last.length + 1 - window);
      int kept = last.length - from;
      last = Arrays.copyOf(Arrays.copyOfRange(last, from, last.length), kept + 1);
      last[kept] = token;
      String text = tokenizer.decode(last, SpecialTokens.SKIP);
      return texts.stream().anyMatch(text::contains);
    }
  }
}
