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

      ### Response:""";

  private static final String WITHOUT_INPUT =
      """
      Below is an instruction that describes a task. Write a response that appropriately completes \
      the request.

      ### Instruction:
      %s

      ### Response:""";

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
    return exchange(prompt, Fields.text(row, "output"));
  }

  static Example promptCompletion(JsonNode row) throws BadRowException {
    String system = Fields.optionalText(row, "system");
    Example.Chat exchange = exchange(Fields.text(row, "prompt"), Fields.text(row, "completion"));
    if (system.isBlank()) {
      return exchange;
    }
    List<Message> messages = new ArrayList<>(List.of(new Message("system", system)));
    messages.addAll(exchange.messages());
    return new Example.Chat(List.copyOf(messages));
  }

  static Example selfInstruct(JsonNode row) throws BadRowException {
    String completion = Fields.text(row, "completion").strip();
    if (completion.endsWith(END_OF_TEXT)) {
      completion = completion.substring(0, completion.length() - END_OF_TEXT.length()).strip();
    }
    if (completion.isEmpty()) {
      throw new BadRowException("field 'completion' is empty");
    }
    return exchange(Fields.text(row, "prompt").strip(), completion);
  }

  static Example text(JsonNode row) throws BadRowException {
    return new Example.Text(Fields.text(row, "text"));
  }

  private static Example.Chat exchange(String prompt, String answer) {
    return new Example.Chat(List.of(new Message("user", prompt), new Message("assistant", answer)));
  }
}
