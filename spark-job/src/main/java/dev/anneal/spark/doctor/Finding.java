package dev.anneal.spark.doctor;

import com.fasterxml.jackson.annotation.JsonInclude;

/**
 * What one look has found.
 *
 * @param value a few words for the table
 * @param stops one sentence on why no run gets past this; {@code null} where one does
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record Finding(String value, String stops) {
  private static final String FAILED = "FAILS";

  static Finding of(String value) {
    return new Finding(value, null);
  }

  static Finding stopping(String sentence) {
    return new Finding(FAILED, sentence);
  }
}
