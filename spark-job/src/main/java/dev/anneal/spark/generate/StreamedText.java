package dev.anneal.spark.generate;

import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/**
 * The text of a continuation as its tokens come: each piece of it once, and only what no later
 * token takes back. A character may need several tokens, and a text that ends the continuation may
 * have begun.
 */
final class StreamedText {
  /** What a decoder has for bytes that are no whole character. */
  private static final char UNFINISHED = '\uFFFD';

  private final Function<int[], String> decoder;
  private final List<String> stops;
  private int[] ids = new int[0];
  private String told = "";

  /**
   * @param decoder the text of tokens
   * @param stops texts before whose first a continuation ends
   */
  StreamedText(Function<int[], String> decoder, List<String> stops) {
    this.decoder = decoder;
    this.stops = stops;
  }

  /** What can be told once the token is there; may be empty. */
  String add(int token) {
    ids = Arrays.copyOf(ids, ids.length + 1);
    ids[ids.length - 1] = token;
    String text = decoder.apply(ids);
    return tell(text.substring(0, sure(text)));
  }

  /**
   * The rest.
   *
   * @param text the whole, as {@link Answer} has it
   */
  String end(String text) {
    return tell(text);
  }

  private String tell(String text) {
    // a decoder that changes its mind about what was told cannot be followed
    if (text.length() <= told.length() || !text.startsWith(told)) {
      return "";
    }
    String piece = text.substring(told.length());
    told = text;
    return piece;
  }

  /** How much of the text stays whatever comes. */
  private int sure(String text) {
    int end = Answer.end(text, stops);
    if (end < text.length()) {
      return end;
    }
    while (end > 0 && text.charAt(end - 1) == UNFINISHED) {
      end--;
    }
    int sure = end;
    for (String stop : stops) {
      for (int begun = Math.max(0, end - stop.length() + 1); begun < end; begun++) {
        if (stop.startsWith(text.substring(begun, end))) {
          sure = Math.min(sure, begun);
          break;
        }
      }
    }
    return sure;
  }
}
