package dev.anneal.data;

import dev.anneal.data.format.TokenizedRow;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.SpecialTokens;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A prepared row as text again, cut where what is learned begins and ends. */
final class LearnedText {
  private final List<Part> parts = new ArrayList<>();

  private LearnedText() {}

  private record Part(String text, boolean learned) {}

  static LearnedText of(TokenizedRow row, ChatTokenizer tokenizer) {
    LearnedText text = new LearnedText();
    int position = 0;
    for (int i = 0; i < row.targetSpans().length; i += 2) {
      int start = row.targetSpans()[i];
      int end = row.targetSpans()[i + 1];
      text.parts.add(new Part(decode(row, position, start, tokenizer), false));
      text.parts.add(new Part(decode(row, start, end, tokenizer), true));
      position = end;
    }
    text.parts.add(new Part(decode(row, position, row.length(), tokenizer), false));
    return text;
  }

  /** All of it. */
  String whole() {
    return String.join("", parts.stream().map(Part::text).toList());
  }

  /** What is learned, stretch by stretch. */
  List<String> learned() {
    return parts.stream().filter(Part::learned).map(Part::text).toList();
  }

  /** All of it, with what is learned in brackets that no text is likely to hold. */
  String marked() {
    return String.join(
        "",
        parts.stream().map(p -> p.learned() ? "\u27e6" + p.text() + "\u27e7" : p.text()).toList());
  }

  private static String decode(TokenizedRow row, int start, int end, ChatTokenizer tokenizer) {
    return start == end
        ? ""
        : tokenizer.decode(Arrays.copyOfRange(row.ids(), start, end), SpecialTokens.KEEP);
  }
}
