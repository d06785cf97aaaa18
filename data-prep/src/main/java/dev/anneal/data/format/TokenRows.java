package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;

/** Rows that somebody tokenized before. */
final class TokenRows {
  private TokenRows() {}

  static Example tokenized(JsonNode row) throws BadRowException {
    JsonNode values = row.path("input_ids");
    if (!values.isArray()) {
      throw new BadRowException("field 'input_ids' is not a list");
    }
    int[] ids = new int[values.size()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = count(values.get(i), "input_ids");
    }
    JsonNode promptLength = row.path("prompt_length");
    if (promptLength.isMissingNode()) {
      throw new BadRowException("field 'prompt_length' is missing");
    }
    return new Example.Tokens(ids, count(promptLength, "prompt_length"));
  }

  private static int count(JsonNode value, String name) throws BadRowException {
    if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < 0) {
      throw new BadRowException(
          "field '" + name + "' holds something else than a token count or id");
    }
    return value.intValue();
  }
}
