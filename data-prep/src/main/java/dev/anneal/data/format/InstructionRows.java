package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.token.Message;
import java.util.ArrayList;
import java.util.List;

/** Rows of one question and one answer, and rows of text alone. */
final class InstructionRows {
  // Stanford Alpaca's prompts, word for word.
  private static final String WITH_INPUT =
      """
      Below is an instruction that describes a task, paired with an input that provides further \
      context. Write a response that appropriately completes the request.

      ### Instruction:
      %s

      ### Input:
      %s

      ### Response:\
      """;

  private static final String WITHOUT_INPUT =
      """
      Below is an instruction that describes a task. Write a response that appropriately completes \
      the request.

      ### Instruction:
      %s

      ### Response:\
      """;

  // How the raw files of Alpaca and its kin say that there is none.
  private static final String NO_INPUT = "<noinput>";

  private static final String END_OF_TEXT = "<|endoftext|>";

  private InstructionRows() {}

  static Example alpaca(JsonNode row) throws BadRowException {
    String instruction = Fields.text(row, "instruction");
    String input = Fields.optionalText(row, "input");
    if (input.strip().equalsIgnoreCase(NO_INPUT)) {
      input = "";
    }
    String prompt =
        input.isEmpty()
            ? WITHOUT_INPUT.formatted(instruction)
            : WITH_INPUT.formatted(instruction, input);
    return RowContext.around(
        row, exchange(prompt, Fields.text(row, "output")), TemplateVariables.ofBareTools(row));
  }

  static Example promptCompletion(JsonNode row) throws BadRowException {
    JsonNode prompt = Fields.json(row, "prompt");
    JsonNode completion = Fields.json(row, "completion");
    return RowContext.around(
        row,
        isTurns(prompt) && isTurns(completion)
            ? turns(prompt, completion)
            : exchange(Fields.text(row, "prompt"), Fields.text(row, "completion")),
        TemplateVariables.of(row));
  }

  private static boolean isTurns(JsonNode value) {
    return value.isArray() && !value.isEmpty() && value.get(0).isObject();
  }

  /** TRL's form of conversations, of which only the completion is learned. */
  private static List<Message> turns(JsonNode prompt, JsonNode completion) throws BadRowException {
    List<Message> messages = new ArrayList<>();
    for (Message turn : ConversationRows.turns(prompt, "prompt")) {
      messages.add(turn.asPrompt());
    }
    messages.addAll(ConversationRows.turns(completion, "completion"));
    ConversationRows.checkRoles(messages);
    return messages;
  }

  static Example selfInstruct(JsonNode row) throws BadRowException {
    String completion = Fields.text(row, "completion").strip();
    if (completion.endsWith(END_OF_TEXT)) {
      completion = completion.substring(0, completion.length() - END_OF_TEXT.length()).strip();
    }
    if (completion.isEmpty()) {
      throw new BadRowException("field 'completion' is empty");
    }
    return RowContext.around(
        row, exchange(Fields.text(row, "prompt").strip(), completion), TemplateVariables.of(row));
  }

  static Example text(JsonNode row) throws BadRowException {
    return new Example.Text(Fields.text(row, "text"));
  }

  private static List<Message> exchange(String prompt, String answer) {
    return List.of(new Message("user", prompt), new Message(Turn.ASSISTANT, answer));
  }
}
