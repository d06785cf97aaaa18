package dev.anneal.data.format;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.GenerationPrompt;
import dev.anneal.data.token.Message;
import dev.anneal.data.token.TemplateRefusalException;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/** Turns examples into token ids and the spans that are learned. */
public final class RowTokenizer {
  private final ChatTokenizer tokenizer;
  private final LearnedPart learnedPart;
  private final AnswerFinder answers;

  /**
   * Makes a row tokenizer.
   *
   * @param tokenizer may be null where all examples are {@link Example.Tokens}
   */
  public RowTokenizer(ChatTokenizer tokenizer, LearnedPart learnedPart) {
    this.tokenizer = tokenizer;
    this.learnedPart = learnedPart;
    this.answers = new AnswerFinder(tokenizer);
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
        && chat.messages().stream().anyMatch(turn -> turn.part() == Message.Part.LEFT_OUT)) {
      throw new BadRowException(
          "a turn of an assistant is not to be learned, but data.train_on_prompt learns every"
              + " turn");
    }
    TokenizedRow row = whole(example);
    return learnedPart == LearnedPart.WHOLE_ROW ? learnedFrom(row.ids(), 1) : row;
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
      if (learnedPart == LearnedPart.WHOLE_ROW) {
        String text =
            tokenizer.render(chat.messages(), chat.variables(), GenerationPrompt.OMIT).text();
        Fields.requireWholeCharacters(text);
        return learnedFrom(tokenizer.encode(text), 1);
      }
      return answers.find(chat);
    } catch (TemplateRefusalException e) {
      throw new BadRowException("the chat template refuses the row: " + e.getMessage());
    }
  }

  private TokenizedRow text(String text) {
    int[] ids = tokenizer.encode(text);
    int[] before = tokenizer.idsBeforeTexts();
    OptionalInt eos = tokenizer.eosId();
    // a text that brings them itself does not get them twice
    boolean begins = Arrays.equals(before, Arrays.copyOf(ids, Math.min(before.length, ids.length)));
    boolean ends = ids.length > 0 && eos.equals(OptionalInt.of(ids[ids.length - 1]));
    IntStream.Builder all = IntStream.builder();
    Arrays.stream(begins ? new int[0] : before).forEach(all);
    Arrays.stream(ids).forEach(all);
    (ends ? OptionalInt.empty() : eos).ifPresent(all);
    return learnedFrom(all.build().toArray(), 1);
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
}
