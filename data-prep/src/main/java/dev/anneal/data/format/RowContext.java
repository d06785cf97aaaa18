package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.token.ContentParts;
import dev.anneal.data.token.Message;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What stands beside the turns of a row and changes what they mean: used, or the row refused. */
final class RowContext {
  private static final List<String> MEDIA =
      List.of("images", "image", "videos", "video", "audios", "audio");
  private static final List<String> MASKS =
      List.of("loss_mask", "completion_mask", "assistant_masks");
  private static final List<String> SYSTEM_PROMPTS = List.of("system_prompt", "system_message");
  private static final List<String> VERDICTS = List.of("label", "kto_tag");
  private static final List<String> LEARNED =
      List.of("weight", "train", "training", "trainable", "loss");

  private RowContext() {}

  /** Puts the row's system prompt before its turns, unless they begin with it. */
  static List<Message> withSystem(JsonNode row, List<Message> turns) throws BadRowException {
    String system = Fields.optionalText(row, "system");
    if (system.isBlank()) {
      return turns;
    }
    if (!turns.isEmpty() && turns.get(0).role().equals("system")) {
      Object said = turns.get(0).content();
      if (system.equals(said instanceof ContentParts parts ? parts.text() : said)) {
        return turns;
      }
      throw new BadRowException("field 'system' and the system turn say different things");
    }
    List<Message> messages = new ArrayList<>(List.of(new Message("system", system)));
    messages.addAll(turns);
    return messages;
  }

  /** The turns before a question: pairs of question and answer, as LLaMA-Factory has them. */
  static List<Message> history(JsonNode row) throws BadRowException {
    List<Message> messages = new ArrayList<>();
    if (!Fields.isGiven(row, "history")) {
      return messages;
    }
    JsonNode pairs = Fields.json(row, "history");
    boolean fits = pairs.isArray();
    for (JsonNode pair : pairs) {
      fits &= pair.isArray() && pair.size() == 2 && pair.get(0).isTextual();
      fits &= pair.path(1).isTextual();
      if (fits) {
        messages.add(new Message("user", pair.get(0).textValue()));
        messages.add(new Message(Turn.ASSISTANT, pair.get(1).textValue()));
      }
    }
    if (!fits) {
      throw new BadRowException("field 'history' is not a list of [question, answer]");
    }
    return messages;
  }

  /** A conversation between what the row has before and around it. */
  static Example.Chat around(JsonNode row, List<Message> turns, Map<String, Object> variables)
      throws BadRowException {
    List<Message> messages = history(row);
    messages.addAll(turns);
    return new Example.Chat(List.copyOf(withSystem(row, messages)), variables);
  }

  /**
   * Refuses rows with a field whose meaning cannot be followed.
   *
   * @param fields that are read
   */
  static void check(JsonNode row, List<String> fields) throws BadRowException {
    refuse(row, MEDIA, fields, "holds what is not text");
    refuse(row, MASKS, fields, "says in an unknown way what is learned");
    refuse(row, List.of("history"), fields, "would be left out");
    refuse(row, SYSTEM_PROMPTS, fields, "would be left out: map it with data.columns to 'system'");
    if (!fields.contains("chosen")
        && Fields.isGiven(row, "chosen")
        && Fields.isGiven(row, "rejected")) {
      throw new BadRowException(
          "fields 'chosen' and 'rejected' hold preferences, which are not learned: map the one to"
              + " learn with data.columns");
    }
    for (String name : LEARNED) {
      if (isNo(row.path(name))) {
        throw new BadRowException("field '" + name + "' says that the row is not learned");
      }
    }
    for (String name : VERDICTS) {
      if (row.path(name).isBoolean() && !row.path(name).booleanValue()) {
        throw new BadRowException("field '" + name + "' says that the answer is a bad one");
      }
    }
  }

  private static boolean isNo(JsonNode value) {
    return value.isBoolean() ? !value.booleanValue() : value.isNumber() && value.doubleValue() == 0;
  }

  /** Fields that are looked at, though no format asks for them. */
  static boolean isVerdict(JsonNode row, String name) {
    return VERDICTS.contains(name) && row.path(name).isBoolean();
  }

  private static void refuse(JsonNode row, List<String> names, List<String> fields, String because)
      throws BadRowException {
    for (String name : names) {
      if (!fields.contains(name) && Fields.isGiven(row, name)) {
        throw new BadRowException("field '" + name + "' " + because);
      }
    }
  }
}
