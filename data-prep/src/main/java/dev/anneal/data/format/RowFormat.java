package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.error.InvalidDataException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** What a row of the data set looks like. */
public enum RowFormat {
  /** {@code {"instruction": ..., "input": ..., "output": ...}}, the input may be empty. */
  ALPACA(
      "alpaca",
      "instruction",
      "input",
      "output",
      "history",
      "system",
      "tools",
      "functions",
      "chat_template_kwargs"),
  /** OpenAI's {@code {"messages": [...]}} or ShareGPT's {@code {"conversations": [...]}}. */
  CHAT("chat", "messages", "conversations", "system", "tools", "functions", "chat_template_kwargs"),
  /** {@code {"prompt": ..., "completion": ...}}: a conversation of two turns. */
  PROMPT_COMPLETION(
      "prompt-completion",
      "prompt",
      "completion",
      "history",
      "system",
      "tools",
      "functions",
      "chat_template_kwargs"),
  /** The same with the blanks and end-of-text marks of self-instruct's files. */
  SELF_INSTRUCT(
      "self-instruct",
      "prompt",
      "completion",
      "history",
      "system",
      "tools",
      "functions",
      "chat_template_kwargs"),
  /** {@code {"text": "<human>: ...\n<bot>: ..."}}, of any number of turns. */
  CHIP2("chip2", "text", "system", "tools", "functions", "chat_template_kwargs"),
  /** {@code {"chosen": "\n\nHuman: ...\n\nAssistant: ..."}}, of any number of turns. */
  HH_RLHF("hh-rlhf", "chosen", "system", "tools", "functions", "chat_template_kwargs"),
  /** {@code {"text": "### Human: ...### Assistant: ..."}}, of any number of turns. */
  GUANACO("guanaco", "text", "system", "tools", "functions", "chat_template_kwargs"),
  /** {@code {"text": ...}}: plain continuation. */
  TEXT("text", "text"),
  /**
   * {@code {"input_ids": [...]}} with {@code prompt_length}, {@code target_spans} or {@code labels}
   * or masks.
   */
  TOKENIZED(
      "tokenized",
      "input_ids",
      "prompt_length",
      "target_spans",
      "labels",
      "completion_mask",
      "assistant_masks",
      "loss_mask",
      "attention_mask",
      "position_ids",
      "seq_lengths");

  private final String configName;

  // List.of makes lists that do not change
  @SuppressWarnings("ImmutableEnumChecker")
  private final List<String> fields;

  RowFormat(String configName, String... fields) {
    this.configName = configName;
    this.fields = List.of(fields);
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
    return this != TEXT && this != TOKENIZED;
  }

  /**
   * Makes sure that a mapping of columns names fields of this format.
   *
   * @param columns column of the source by field of the format
   * @throws InvalidDataException if it names others
   */
  public void checkColumns(Map<String, String> columns) {
    for (String field : columns.keySet()) {
      if (!fields.contains(field)) {
        throw new InvalidDataException(
            "data.columns names the field '"
                + field
                + "', but data.format '"
                + configName
                + "' has the fields "
                + String.join(", ", fields)
                + ": write FIELD: COLUMN.");
      }
    }
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
    RowContext.check(row, fields);
    return switch (this) {
      case ALPACA -> InstructionRows.alpaca(row);
      case CHAT -> ConversationRows.chat(row);
      case PROMPT_COMPLETION -> InstructionRows.promptCompletion(row);
      case SELF_INSTRUCT -> InstructionRows.selfInstruct(row);
      case CHIP2 -> Transcript.CHIP2.parse(row, "text");
      case HH_RLHF -> Transcript.HH_RLHF.parse(row, "chosen");
      case GUANACO -> Transcript.GUANACO.parse(row, "text");
      case TEXT -> InstructionRows.text(row);
      case TOKENIZED -> TokenRows.tokenized(row);
    };
  }

  /** Names of the row's fields that hold something and that nothing reads. */
  Set<String> unread(JsonNode row) {
    Set<String> unread = new TreeSet<>();
    row.fieldNames()
        .forEachRemaining(
            name -> {
              if (!fields.contains(name)
                  && Fields.isGiven(row, name)
                  && !RowContext.isVerdict(row, name)
                  && !RowSource.isRead(row, name)) {
                unread.add(name);
              }
            });
    return unread;
  }

  private static String names() {
    return Arrays.stream(values()).map(RowFormat::configName).collect(Collectors.joining(", "));
  }
}
