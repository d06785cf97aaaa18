package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Rows that somebody tokenized before. What is learned of them is said by {@code target_spans}
 * ({@code [[start, end], ...]} or flattened), by {@code labels} (-100 where nothing is) or by
 * {@code prompt_length} (everything behind it).
 */
final class TokenRows {
  private static final int NOT_LEARNED = -100;

  private TokenRows() {}

  static Example tokenized(JsonNode row) throws BadRowException {
    JsonNode values = Fields.json(row, "input_ids");
    if (!values.isArray()) {
      throw new BadRowException("field 'input_ids' is not a list");
    }
    int[] ids = counts(values, "input_ids");
    if (row.hasNonNull("target_spans")) {
      return new Example.Tokens(ids, targetSpans(Fields.json(row, "target_spans"), ids.length));
    }
    if (row.hasNonNull("labels")) {
      return new Example.Tokens(ids, spansOfLabels(Fields.json(row, "labels"), ids));
    }
    JsonNode promptLength = row.path("prompt_length");
    if (promptLength.isMissingNode()) {
      throw new BadRowException("field 'prompt_length' is missing");
    }
    int start = count(promptLength, "prompt_length");
    return new Example.Tokens(ids, start < ids.length ? new int[] {start, ids.length} : new int[0]);
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
      int label = i < ids.length ? labels.get(i).asInt(NOT_LEARNED) : NOT_LEARNED;
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
