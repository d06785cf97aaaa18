package dev.anneal.data.format;

import dev.anneal.data.InvalidDataException;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.EncodedText;
import dev.anneal.data.token.GenerationPrompt;
import dev.anneal.data.token.Message;
import dev.anneal.data.token.TemplateRefusalException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/** Turns examples into token ids and the spans that are learned. */
public final class RowTokenizer {
  private final ChatTokenizer tokenizer;
  private final LearnedPart learnedPart;

  /**
   * Makes a row tokenizer.
   *
   * @param tokenizer may be null where all examples are {@link Example.Tokens}
   */
  public RowTokenizer(ChatTokenizer tokenizer, LearnedPart learnedPart) {
    this.tokenizer = tokenizer;
    this.learnedPart = learnedPart;
  }

  /**
   * Tokenizes an example.
   *
   * @return the whole row, however long
   * @throws BadRowException if the template refuses the conversation or an id is out of the
   *     vocabulary
   * @throws InvalidDataException if the template does not fit the way answers are told from prompts
   */
  public TokenizedRow tokenize(Example example) throws BadRowException {
    if (learnedPart == LearnedPart.WHOLE_ROW
        && example instanceof Example.Chat chat
        && chat.messages().stream().anyMatch(turn -> isLeftOut(turn))) {
      throw new BadRowException(
          "a turn of an assistant is not to be learned, but data.train_on_prompt learns every turn");
    }
    TokenizedRow row = whole(example);
    return learnedPart == LearnedPart.WHOLE_ROW ? learnedFrom(row.ids(), 1) : row;
  }

  private static boolean isLeftOut(Message turn) {
    return turn.role().equals("assistant") && !turn.learned();
  }

  private TokenizedRow whole(Example example) throws BadRowException {
    if (example instanceof Example.Chat chat) {
      return chat(chat);
    }
    if (example instanceof Example.Text text) {
      return text(text.text());
    }
    return tokens((Example.Tokens) example);
  }

  private TokenizedRow chat(Example.Chat chat) throws BadRowException {
    try {
      String rendered = render(chat, chat.messages().size(), GenerationPrompt.OMIT);
      List<CharSpan> answers = answers(chat, rendered);
      EncodedText encoded = tokenizer.encodeWithOffsets(rendered);
      return new TokenizedRow(encoded.ids(), spansOf(encoded, answers));
    } catch (TemplateRefusalException e) {
      throw new BadRowException("the chat template refuses the row: " + e.getMessage());
    }
  }

  /** Code points {@code [start, end)} of the rendered conversation. */
  private record CharSpan(int start, int end) {}

  private String render(Example.Chat chat, int turns, GenerationPrompt generationPrompt) {
    return tokenizer.render(chat.messages().subList(0, turns), chat.variables(), generationPrompt);
  }

  private List<CharSpan> answers(Example.Chat chat, String rendered) {
    List<Message> messages = chat.messages();
    List<CharSpan> answers = new ArrayList<>();
    for (int i = 0; i < messages.size(); i++) {
      if (messages.get(i).learned()) {
        String prompt = render(chat, i, GenerationPrompt.ADD);
        String answered =
            i + 1 == messages.size() ? rendered : render(chat, i + 1, GenerationPrompt.OMIT);
        if (!rendered.startsWith(answered) || !answered.startsWith(prompt)) {
          throw new InvalidDataException(
              "The chat template writes the beginning of a conversation differently once it goes on,"
                  + " so answers cannot be told from prompts: use another chat template or"
                  + " data.format tokenized.");
        }
        answers.add(new CharSpan(codePoints(prompt), codePoints(answered)));
      }
    }
    return answers;
  }

  // A token that holds any character of an answer belongs to the answer.
  private static int[] spansOf(EncodedText encoded, List<CharSpan> answers) {
    IntStream.Builder spans = IntStream.builder();
    int position = 0;
    int length = encoded.ids().length;
    for (CharSpan answer : answers) {
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

  private TokenizedRow text(String text) {
    int[] ids = tokenizer.encode(text);
    IntStream bos = without(tokenizer.bosId(), ids.length > 0 ? ids[0] : -1).stream();
    IntStream eos = without(tokenizer.eosId(), ids.length > 0 ? ids[ids.length - 1] : -1).stream();
    return learnedFrom(
        IntStream.concat(bos, IntStream.concat(IntStream.of(ids), eos)).toArray(), 1);
  }

  // A text that brings the token itself does not get it twice.
  private static OptionalInt without(OptionalInt token, int present) {
    return token.isPresent() && token.getAsInt() == present ? OptionalInt.empty() : token;
  }

  private TokenizedRow tokens(Example.Tokens tokens) throws BadRowException {
    if (tokenizer != null) {
      for (int id : tokens.ids()) {
        if (id >= tokenizer.vocabSize()) {
          throw new BadRowException("field 'input_ids' holds an id outside the vocabulary");
        }
      }
    }
    return new TokenizedRow(tokens.ids(), withoutFirst(tokens.targetSpans()));
  }

  // Nothing predicts the first token.
  private static int[] withoutFirst(int[] spans) {
    if (spans.length == 0 || spans[0] > 0) {
      return spans;
    }
    int[] rest = spans.clone();
    rest[0] = 1;
    return rest[1] > 1 ? rest : Arrays.copyOfRange(rest, 2, rest.length);
  }

  private static TokenizedRow learnedFrom(int[] ids, int start) {
    return new TokenizedRow(ids, start < ids.length ? new int[] {start, ids.length} : new int[0]);
  }

  private static int codePoints(String text) {
    return text.codePointCount(0, text.length());
  }
}
