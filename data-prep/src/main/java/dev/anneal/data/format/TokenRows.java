package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Rows that somebody tokenized before. What is learned of them is said by {@code target_spans}
 * ({@code [[start, end], ...]} or flattened), by {@code labels} (-100 where nothing is), by a mask
 * ({@code completion_mask}, {@code assistant_masks} or {@code loss_mask}, 1 where something is) or
 * by {@code prompt_length} (everything behind it).
 */
final class TokenRows {
  private static final int NOT_LEARNED = -100;

  /** Fields that say what is learned; of several, each has to say the same. */
  private static final List<String> WAYS =
      List.of(
          "target_spans",
          "labels",
          "completion_mask",
          "assistant_masks",
          "loss_mask",
          "prompt_length");

  private TokenRows() {}

  static Example tokenized(JsonNode row) throws BadRowException {
    JsonNode values = Fields.json(row, "input_ids");
    if (!values.isArray()) {
      throw new BadRowException("field 'input_ids' is not a list");
    }
    int[] ids = counts(values, "input_ids");
    requireWhole(row, ids.length);
    int[] spans = null;
    for (String name : WAYS) {
      if (row.hasNonNull(name)) {
        int[] said = spans(row, name, ids);
        if (spans != null && !Arrays.equals(spans, said)) {
          throw new BadRowException(
              "field '" + name + "' and another say different things on what is learned");
        }
        spans = said;
      }
    }
    if (spans == null) {
      throw new BadRowException("field 'prompt_length' is missing");
    }
    return new Example.Tokens(ids, spans);
  }

  private static int[] spans(JsonNode row, String name, int[] ids) throws BadRowException {
    return switch (name) {
      case "target_spans" -> targetSpans(Fields.json(row, name), ids.length);
      case "labels" -> spansOfLabels(Fields.json(row, name), ids);
      case "prompt_length" -> {
        int start = count(row.path(name), name);
        yield start < ids.length ? new int[] {start, ids.length} : new int[0];
      }
      default -> spansOfMask(Fields.json(row, name), name, ids.length);
    };
  }

  /** Padding and sequences of several rows mean something else than one row of tokens. */
  private static void requireWhole(JsonNode row, int length) throws BadRowException {
    if (Fields.isGiven(row, "attention_mask")) {
      JsonNode mask = Fields.json(row, "attention_mask");
      for (int value : mask.isArray() ? counts(mask, "attention_mask") : new int[] {0}) {
        if (value != 1) {
          throw new BadRowException("field 'attention_mask' leaves tokens out: give none of them");
        }
      }
      if (mask.size() != length) {
        throw new BadRowException("field 'attention_mask' is not as long as 'input_ids'");
      }
    }
    if (Fields.isGiven(row, "seq_lengths")) {
      JsonNode lengths = Fields.json(row, "seq_lengths");
      if (!lengths.isArray() || lengths.size() != 1 || lengths.get(0).asInt() != length) {
        throw new BadRowException("field 'seq_lengths' tells of several texts: give a row a text");
      }
    }
    if (Fields.isGiven(row, "position_ids")) {
      JsonNode positions = Fields.json(row, "position_ids");
      boolean plain = positions.isArray() && positions.size() == length;
      for (int i = 0; plain && i < length; i++) {
        plain = positions.get(i).isIntegralNumber() && positions.get(i).intValue() == i;
      }
      if (!plain) {
        throw new BadRowException("field 'position_ids' does not count from 0: give a row a text");
      }
    }
  }

  private static int[] targetSpans(JsonNode value, int length) throws BadRowException {
    if (!value.isArray()) {
      throw new BadRowException("field 'target_spans' is not a list");
    }
    IntStream.Builder flat = IntStream.builder();
    for (JsonNode element : value) {
      if (element.isArray()) {
        Arrays.stream(counts(element, "target_spans")).forEach(flat);
      } else {
        flat.add(count(element, "target_spans"));
      }
    }
    int[] spans = flat.build().toArray();
    int behind = 0;
    for (int i = 0; i + 1 < spans.length; i += 2) {
      if (spans[i] < behind || spans[i] >= spans[i + 1]) {
        throw new BadRowException("field 'target_spans' does not ascend");
      }
      behind = spans[i + 1];
    }
    if (spans.length % 2 == 1 || behind > length) {
      throw new BadRowException("field 'target_spans' does not fit 'input_ids'");
    }
    return spans;
  }

  private static int[] spansOfLabels(JsonNode labels, int[] ids) throws BadRowException {
    if (!labels.isArray() || labels.size() != ids.length) {
      throw new BadRowException("field 'labels' is not a list as long as 'input_ids'");
    }
    IntStream.Builder spans = IntStream.builder();
    boolean inside = false;
    for (int i = 0; i <= ids.length; i++) {
      if (i < ids.length && !labels.get(i).isIntegralNumber()) {
        throw new BadRowException("field 'labels' holds something else than ids");
      }
      int label = i < ids.length ? labels.get(i).intValue() : NOT_LEARNED;
      if (label != NOT_LEARNED && label != ids[i]) {
        throw new BadRowException("field 'labels' holds other ids than 'input_ids'");
      }
      if (inside != (label != NOT_LEARNED)) {
        spans.add(i);
        inside = !inside;
      }
    }
    return spans.build().toArray();
  }

  private static int[] spansOfMask(JsonNode mask, String name, int length) throws BadRowException {
    if (!mask.isArray() || mask.size() != length) {
      throw new BadRowException("field '" + name + "' is not a list as long as 'input_ids'");
    }
    IntStream.Builder spans = IntStream.builder();
    boolean inside = false;
    for (int i = 0; i <= length; i++) {
      int value = i < length ? bit(mask.get(i), name) : 0;
      if (inside != (value == 1)) {
        spans.add(i);
        inside = !inside;
      }
    }
    return spans.build().toArray();
  }

  private static int bit(JsonNode value, String name) throws BadRowException {
    if (value.isBoolean()) {
      return value.booleanValue() ? 1 : 0;
    }
    if (!value.isIntegralNumber() || value.intValue() < 0 || value.intValue() > 1) {
      throw new BadRowException("field '" + name + "' holds something else than 0 and 1");
    }
    return value.intValue();
  }

  private static int[] counts(JsonNode values, String name) throws BadRowException {
    int[] counts = new int[values.size()];
    for (int i = 0; i < counts.length; i++) {
      counts[i] = count(values.get(i), name);
    }
    return counts;
  }

  private static int count(JsonNode value, String name) throws BadRowException {
    if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < 0) {
      throw new BadRowException(
          "field '" + name + "' holds something else than a token count or id");
    }
    return value.intValue();
  }
}
