package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.token.Message;
import java.util.ArrayList;
import java.util.List;

/**
 * Whether a turn is learned: OpenAI's {@code weight} (0 or 1), Axolotl's {@code train} or {@code
 * training}, ms-swift's {@code loss}; an assistant's is where nothing says otherwise.
 */
final class LearnedTurn {
  private static final String WEIGHT = "weight";
  private static final List<String> FLAGS = List.of("train", "training", "trainable", "loss");

  /** Ways to say it that cannot be followed. */
  private static final List<String> UNKNOWN =
      List.of("train_detail", "training_detail", "loss_mask", "loss_weight", "mask", "masked");

  /** The fields of a turn that are read here. */
  static final List<String> FIELDS = fields();

  private LearnedTurn() {}

  private static List<String> fields() {
    List<String> fields = new ArrayList<>(FLAGS);
    fields.add(WEIGHT);
    return List.copyOf(fields);
  }

  static Message.Part of(JsonNode turn, String role) throws BadRowException {
    for (String name : UNKNOWN) {
      if (Fields.isGiven(turn, name)) {
        throw new BadRowException(
            "field '"
                + name
                + "' of a turn says in an unknown way what is learned: use 'weight' or 'train'");
      }
    }
    boolean assistant = role.equals(Turn.ASSISTANT);
    Boolean learned = null;
    for (String name : FIELDS) {
      if (turn.hasNonNull(name)) {
        boolean said = said(turn.get(name), name);
        if (learned != null && learned != said) {
          throw new BadRowException("fields of a turn say different things on what is learned");
        }
        learned = said;
        if (said && !assistant && !name.equals(WEIGHT)) {
          throw new BadRowException(
              "field '"
                  + name
                  + "' wants a turn of role '"
                  + role
                  + "' to be learned, but only those of assistants are");
        }
      }
    }
    if (!assistant) {
      return Message.Part.PROMPT;
    }
    return learned == null || learned ? Message.Part.ANSWER : Message.Part.LEFT_OUT;
  }

  private static boolean said(JsonNode value, String name) throws BadRowException {
    if (value.isBoolean() && !name.equals(WEIGHT)) {
      return value.booleanValue();
    }
    if (value.isNumber() && (value.doubleValue() == 0 || value.doubleValue() == 1)) {
      return value.doubleValue() == 1;
    }
    throw new BadRowException("field '" + name + "' of a turn is neither 0 nor 1");
  }
}
