package dev.anneal.data.format;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.EncodedText;
import dev.anneal.data.token.GenerationPrompt;
import dev.anneal.data.token.Message;
import dev.anneal.data.token.RenderedChat;
import dev.anneal.data.token.SpecialTokens;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Finds what of a conversation the assistant says: as the template marks it, else by rendering the
 * conversation up to each answer.
 */
final class AnswerFinder {
  private final ChatTokenizer tokenizer;

  AnswerFinder(ChatTokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  /** Code points {@code [start, end)} of the rendered conversation. */
  private record Span(int start, int end) {}

  /** The whole conversation as tokens, with its answers as what is learned. */
  TokenizedRow find(Example.Chat chat) throws BadRowException {
    RenderedChat whole = render(chat, chat.messages().size(), GenerationPrompt.OMIT);
    Fields.requireWholeCharacters(whole.text());
    EncodedText encoded = tokenizer.encodeWithOffsets(whole.text());
    int[] spans =
        whole.marked().isPresent()
            ? tokens(encoded, marked(chat, whole.text(), whole.marked().get()))
            : withoutBlanksBehindTurns(encoded, tokens(encoded, compared(chat, whole.text())));
    return new TokenizedRow(encoded.ids(), spans);
  }

  private RenderedChat render(Example.Chat chat, int turns, GenerationPrompt generationPrompt) {
    return tokenizer.render(chat.messages().subList(0, turns), chat.variables(), generationPrompt);
  }

  private static List<Span> marked(Example.Chat chat, String text, List<int[]> marked)
      throws BadRowException {
    List<Message> turns =
        chat.messages().stream().filter(turn -> turn.role().equals("assistant")).toList();
    boolean all = turns.stream().allMatch(Message::learned);
    if (!all && turns.size() != marked.size()) {
      throw new BadRowException(
          "a turn of an assistant is not to be learned, but the chat template marks %s parts of %s turns"
              .formatted(marked.size(), turns.size()));
    }
    List<Span> spans = new ArrayList<>();
    for (int i = 0; i < marked.size(); i++) {
      if (!all && !turns.get(i).learned()) {
        continue;
      }
      int[] answer = marked.get(i);
      // a template may mark what it does not print
      int start = Math.min(answer[0], text.length());
      int end = Math.min(answer[1], text.length());
      spans.add(new Span(text.codePointCount(0, start), text.codePointCount(0, end)));
    }
    return spans;
  }

  private List<Span> compared(Example.Chat chat, String rendered) {
    List<Message> messages = chat.messages();
    List<Span> answers = new ArrayList<>();
    for (int i = 0; i < messages.size(); i++) {
      if (messages.get(i).learned()) {
        String prompt = render(chat, i, GenerationPrompt.ADD).text();
        String answered =
            i + 1 == messages.size() ? rendered : render(chat, i + 1, GenerationPrompt.OMIT).text();
        if (!rendered.startsWith(answered)) {
          throw rewritten();
        }
        int start =
            answered.startsWith(prompt) ? prompt.length() : parting(chat, i, prompt, answered);
        answers.add(new Span(codePoints(answered, start), codePoints(answered, answered.length())));
      }
    }
    return answers;
  }

  /**
   * Where an answer leaves its prompt: templates of models that think end the prompt with what
   * begins a thought, and the answer need not have one.
   */
  private int parting(Example.Chat chat, int turns, String prompt, String answered) {
    String before = render(chat, turns, GenerationPrompt.OMIT).text();
    if (!prompt.startsWith(before) || !answered.startsWith(before)) {
      throw rewritten();
    }
    // by tokens, as a text may begin with the characters of a token that it does not have
    EncodedText promptTokens = tokenizer.encodeWithOffsets(prompt);
    EncodedText answerTokens = tokenizer.encodeWithOffsets(answered);
    int common = 0;
    int most = Math.min(promptTokens.ids().length, answerTokens.ids().length);
    while (common < most && promptTokens.ids()[common] == answerTokens.ids()[common]) {
      common++;
    }
    int end = common == 0 ? 0 : answerTokens.ends()[common - 1];
    return Math.max(before.length(), answered.offsetByCodePoints(0, end));
  }

  private static InvalidDataException rewritten() {
    return new InvalidDataException(
        "The chat template writes the beginning of a conversation differently once it goes on,"
            + " so answers cannot be told from prompts: use another chat template, one that marks"
            + " them with {% generation %}, data.train_on_prompt or data.format tokenized.");
  }

  // A token that holds any character of an answer belongs to the answer.
  private static int[] tokens(EncodedText encoded, List<Span> answers) {
    IntStream.Builder spans = IntStream.builder();
    int position = 0;
    int length = encoded.ids().length;
    for (Span answer : answers) {
      while (position < length && encoded.ends()[position] <= answer.start()) {
        position++;
      }
      int start = Math.max(1, position);
      while (position < length && encoded.starts()[position] < answer.end()) {
        position++;
      }
      if (position > start) {
        spans.add(start).add(position);
      }
    }
    return spans.build().toArray();
  }

  // Nothing that stands behind the token that ends a turn is said by the assistant.
  private int[] withoutBlanksBehindTurns(EncodedText encoded, int[] spans) {
    IntStream.Builder kept = IntStream.builder();
    for (int i = 0; i < spans.length; i += 2) {
      int last = spans[i + 1] - 1;
      while (last >= spans[i] && !tokenizer.stopsGeneration(encoded.ids()[last])) {
        last--;
      }
      int end =
          last >= spans[i] && isBlank(encoded, last + 1, spans[i + 1]) ? last + 1 : spans[i + 1];
      kept.add(spans[i]).add(end);
    }
    return kept.build().toArray();
  }

  private boolean isBlank(EncodedText encoded, int from, int to) {
    int[] ids = Arrays.copyOfRange(encoded.ids(), from, to);
    return from == to || tokenizer.decode(ids, SpecialTokens.KEEP).isBlank();
  }

  private static int codePoints(String text, int end) {
    return text.codePointCount(0, end);
  }
}
