package dev.anneal.spark.generate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.prep.OrderedRows;
import dev.anneal.data.source.JsonRows;
import dev.anneal.data.source.SourceFiles;
import dev.anneal.data.source.SourceRow;
import dev.anneal.data.token.Message;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.apache.spark.sql.SparkSession;

/**
 * Prompts of the command and of sources, one after the other. A row has a text {@code prompt} or a
 * conversation {@code messages}; of a file that is neither JSON, CSV, Parquet nor Arrow by its name
 * every line is a prompt. Empty lines are passed over.
 */
final class PromptReader {
  private static final JsonMapper JSON = new JsonMapper();
  private static final String PROMPT = "prompt";
  private static final String MESSAGES = "messages";

  /** Fields of rows that prep gives to templates. */
  static final List<String> NOT_GIVEN =
      List.of("tools", "functions", "chat_template_kwargs", "system");

  private static final List<String> MESSAGE_FIELDS = List.of("role", "content");
  private static final String BYTE_ORDER_MARK = "\uFEFF";
  private static final Pattern ROWS =
      Pattern.compile(
          ".*\\.(jsonl|json|ndjson|csv|tsv|parquet|arrow|feather)(\\.(gz|gzip|bz2|xz|zst|zstd|deflate|snappy|lz4))?");

  private final Storage storage;
  private final String column;
  private final Predicate<String> isRead;
  private final Consumer<AskedPrompt> taker;
  // null where rows become no columns
  private ColumnNames names;

  /**
   * @param column that holds the prompt; {@code null} for {@code prompt} or {@code messages}
   * @param isRead whether the chat template may read a field of a message
   * @param taker given the prompts
   */
  PromptReader(
      Storage storage, String column, Predicate<String> isRead, Consumer<AskedPrompt> taker) {
    this.storage = storage;
    this.column = column;
    this.isRead = isRead;
    this.taker = taker;
  }

  /** From now on rows are refused that cannot be columns of Spark. */
  void requireColumns() {
    names = new ColumnNames();
  }

  /** Texts of the command line or of a program. */
  void texts(List<String> texts) {
    for (int i = 0; i < texts.size(); i++) {
      text("--prompt " + (i + 1), texts.get(i));
    }
  }

  /**
   * What a source holds.
   *
   * @param spark opened where Spark has to read it
   * @param copies folder for copies from the hub
   * @throws BadRequestException naming the first row that cannot be read
   */
  void source(String source, Supplier<SparkSession> spark, Path copies) {
    try {
      if (OrderedRows.needSpark(source, storage)) {
        OrderedRows.ofTable(spark.get(), source, storage, this::row);
      } else if (isText(source)) {
        lines(source);
      } else {
        OrderedRows.ofFiles(source, copies.toUri().toString(), storage, this::row);
      }
    } catch (InvalidDataException e) {
      throw new BadRequestException(e.getMessage().replace("data.source", "--prompts"), e);
    } catch (IOException | IllegalArgumentException e) {
      throw new BadRequestException(Storage.cannotRead(source, e), e);
    }
  }

  /** One row as JSON. */
  void row(String place, String json) {
    if (!(parse(place, json) instanceof ObjectNode row)) {
      throw refusal(place, "is no JSON object");
    }
    for (Map.Entry<String, JsonNode> field : row.properties()) {
      check(place, field.getKey(), field.getValue());
    }
    if (names != null) {
      names.take(place, row);
    }
    // between the values of a row line ends mean nothing
    taker.accept(new AskedPrompt(place, json.replaceAll("[\\r\\n]+", " "), messages(place, row)));
  }

  private void check(String place, String name, JsonNode value) {
    if (Answer.FIELDS.contains(name.toLowerCase(Locale.ROOT))) {
      throw new BadRequestException(
          "The prompt in %s has a '%s' already, which its answer is to have: give it another name."
              .formatted(place, name));
    }
    boolean isEmpty = value.isNull() || (value.isTextual() && value.textValue().isBlank());
    if (NOT_GIVEN.contains(name) && !name.equals(column) && !isEmpty) {
      throw notGiven(place, name);
    }
  }

  private static BadRequestException notGiven(String place, String name) {
    return new BadRequestException(
        "The prompt in %s has '%s', which generate does not give to the template: remove it."
            .formatted(place, name));
  }

  private void row(SourceRow row) {
    String place = "row %s of %s".formatted(row.row(), RunFolder.display(row.file()));
    if (row.fault() != null) {
      throw refusal(place, "cannot be read, since " + row.fault());
    }
    row(place, row.json());
  }

  private boolean isText(String source) throws IOException {
    return SourceFiles.areInPlace(source)
        && !ROWS.matcher(source.toLowerCase(Locale.ROOT)).matches()
        && storage.exists(source)
        && storage.list(source).stream().anyMatch(file -> isSame(file.uri(), source));
  }

  /** A folder lists other files than itself. */
  private boolean isSame(String file, String source) {
    return SourceFiles.qualified(file, storage).equals(SourceFiles.qualified(source, storage));
  }

  private void lines(String file) throws IOException {
    int prompts = 0;
    try (BufferedReader lines =
        new BufferedReader(
            // of what is no UTF-8 an exception, and not another text
            new InputStreamReader(storage.open(file), StandardCharsets.UTF_8.newDecoder()))) {
      int number = 0;
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        number++;
        if (number == 1 && line.startsWith(BYTE_ORDER_MARK)) {
          line = line.substring(BYTE_ORDER_MARK.length());
        }
        if (!line.isBlank()) {
          text("line %s of %s".formatted(number, RunFolder.display(file)), line);
          prompts++;
        }
      }
    } catch (CharacterCodingException e) {
      throw new BadRequestException(
          "%s is not UTF-8 behind its first %s prompts: convert it."
              .formatted(RunFolder.display(file), prompts),
          e);
    }
  }

  private void text(String place, String text) {
    taker.accept(
        new AskedPrompt(
            place,
            JSON.createObjectNode().put(PROMPT, text).toString(),
            List.of(new Message("user", text))));
  }

  private List<Message> messages(String place, ObjectNode row) {
    String name = column != null ? column : row.path(PROMPT).isTextual() ? PROMPT : MESSAGES;
    JsonNode value = row.path(name);
    if (value.isTextual() && name.equals(MESSAGES)) {
      // as files of plain columns have lists
      value = parse(place, value.textValue());
    } else if (value.isTextual()) {
      return List.of(new Message("user", value.textValue()));
    }
    List<Message> messages = new ArrayList<>();
    if (value.isArray()) {
      for (JsonNode message : value) {
        messages.add(message(place, message));
      }
    }
    if (!messages.isEmpty()) {
      return messages;
    }
    if (column != null) {
      throw new BadRequestException(
          "The prompt in %s has no text and no messages in '%s': check --prompts-column."
              .formatted(place, column));
    }
    throw refusal(place, "has neither a text 'prompt' nor a list 'messages'");
  }

  private Message message(String place, JsonNode message) {
    if (!message.path("role").isTextual() || !message.path("content").isTextual()) {
      throw refusal(place, "has a message without a text role or content");
    }
    for (Map.Entry<String, JsonNode> field : message.properties()) {
      String name = field.getKey();
      if (!MESSAGE_FIELDS.contains(name) && !field.getValue().isNull() && isRead.test(name)) {
        throw notGiven(place, name);
      }
    }
    return new Message(message.get("role").textValue(), message.get("content").textValue());
  }

  private static JsonNode parse(String place, String line) {
    try {
      return JsonRows.parse(line);
    } catch (IOException e) {
      throw refusal(place, "is not valid JSON");
    }
  }

  private static BadRequestException refusal(String place, String problem) {
    return new BadRequestException(
        "The prompt in %s %s: write {\"prompt\": \"...\"} or {\"messages\": [{\"role\": \"user\", \"content\": \"...\"}]}."
            .formatted(place, problem));
  }
}
