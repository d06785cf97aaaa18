package dev.anneal.data.format;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.EncodedText;
import dev.anneal.data.token.GenerationPrompt;
import dev.anneal.data.token.Message;
import dev.anneal.data.token.TemplateRefusalException;
import java.util.Arrays;
import java.util.List;

/** Whether a model learns under a chat template to stop, found out by short conversations. */
public final class TurnEnds {
  private static final String ANSWER = "Certainly";
  private static final Message USER = new Message("user", "Please");
  private static final Message ASSISTANT = new Message("assistant", ANSWER);

  private static final List<List<Message>> CONVERSATIONS =
      List.of(
          List.of(USER, ASSISTANT),
          List.of(new Message("system", "Always"), USER, ASSISTANT),
          List.of(USER, ASSISTANT, USER, ASSISTANT));

  private final ChatTokenizer tokenizer;
  private final LearnedPart learnedPart;
  private final RowTokenizer rows;

  public TurnEnds(ChatTokenizer tokenizer, LearnedPart learnedPart) {
    this.tokenizer = tokenizer;
    this.learnedPart = learnedPart;
    this.rows = new RowTokenizer(tokenizer, learnedPart);
  }

  /**
   * Whether a turn of an assistant ends with a learned token at which generation stops; true also
   * for a template that takes none of the conversations.
   */
  public boolean areLearned() {
    boolean rendered = false;
    for (List<Message> conversation : CONVERSATIONS) {
      if (learnedPart == LearnedPart.WHOLE_ROW
          && conversation.indexOf(ASSISTANT) + 1 < conversation.size()) {
        // what begins the next turn is learned too, and is no end of this one
        continue;
      }
      try {
        if (isLearned(new Example.Chat(conversation))) {
          return true;
        }
        rendered = true;
      } catch (BadRowException | TemplateRefusalException | InvalidDataException e) {
        // rows will say what is wrong
      }
    }
    return !rendered;
  }

  private boolean isLearned(Example.Chat chat) throws BadRowException {
    TokenizedRow row = rows.tokenize(chat);
    String text = tokenizer.render(chat.messages(), chat.variables(), GenerationPrompt.OMIT).text();
    EncodedText encoded = tokenizer.encodeWithOffsets(text);
    if (!text.contains(ANSWER) || !Arrays.equals(encoded.ids(), row.ids())) {
      throw new BadRowException("the template rewrites what is said");
    }
    for (int at = text.indexOf(ANSWER); at >= 0; at = text.indexOf(ANSWER, at + 1)) {
      if (isLearned(text.codePointCount(0, at + ANSWER.length()), encoded, row.targetSpans())) {
        return true;
      }
    }
    return false;
  }

  /** Whether the learned part that holds the end of an answer goes on to a token that stops. */
  private boolean isLearned(int end, EncodedText encoded, int[] spans) {
    for (int i = 0; i < spans.length; i += 2) {
      if (encoded.starts()[spans[i]] >= end) {
        continue;
      }
      for (int token = spans[i]; token < spans[i + 1]; token++) {
        if (encoded.starts()[token] >= end && tokenizer.stopsGeneration(encoded.ids()[token])) {
          return true;
        }
      }
    }
    return false;
  }
}
