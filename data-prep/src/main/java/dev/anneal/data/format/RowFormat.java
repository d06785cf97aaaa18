package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.InvalidDataException;
import java.util.Arrays;
import java.util.stream.Collectors;

/** What a row of the data set looks like. */
public enum RowFormat {
  /** {@code {"instruction": ..., "input": ..., "output": ...}}, the input may be empty. */
  ALPACA("alpaca"),
  /** OpenAI's {@code {"messages": [...]}} or ShareGPT's {@code {"conversations": [...]}}. */
  CHAT("chat"),
  /** {@code {"prompt": ..., "completion": ...}}: a conversation of two turns. */
  PROMPT_COMPLETION("prompt-completion"),
  /** {@code {"text": ...}}: plain continuation. */
  TEXT("text"),
  /** {@code {"input_ids": [...], "prompt_length": n}}. */
  TOKENIZED("tokenized");

  private final String configName;

  RowFormat(String configName) {
    this.configName = configName;
  }

  /**
   * The format of that name.
   *
   * @throws InvalidDataException if there is no format of that name
   */
  public static RowFormat of(String configName) {
    return Arrays.stream(values())
        .filter(format -> format.configName.equals(configName))
        .findFirst()
        .orElseThrow(
            () ->
                new InvalidDataException(
                    "data.format is '" + configName + "', but must be one of " + names() + "."));
  }

  /** The value of {@code data.format} that chooses this format. */
  public String configName() {
    return configName;
  }

  public boolean needsTokenizer() {
    return this != TOKENIZED;
  }

  public boolean needsChatTemplate() {
    return this == ALPACA || this == CHAT || this == PROMPT_COMPLETION;
  }

  /**
   * Reads a row.
   *
   * @throws BadRowException if a needed field is missing, empty or of the wrong type
   */
  public Example parse(JsonNode row) throws BadRowException {
    if (!row.isObject()) {
      throw new BadRowException("the row is not a JSON object");
    }
    return switch (this) {
      case ALPACA -> InstructionRows.alpaca(row);
      case CHAT -> ConversationRows.chat(row);
      case PROMPT_COMPLETION -> InstructionRows.promptCompletion(row);
      case TEXT -> InstructionRows.text(row);
      case TOKENIZED -> TokenRows.tokenized(row);
    };
  }

  private static String names() {
    return Arrays.stream(values()).map(RowFormat::configName).collect(Collectors.joining(", "));
  }
}
