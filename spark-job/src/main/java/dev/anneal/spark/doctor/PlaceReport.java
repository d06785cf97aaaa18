package dev.anneal.spark.doctor;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What was found in one process; from an executor it comes as JSON, since Spark's own class loader
 * reads what tasks return.
 *
 * @param place {@code driver}, or {@code executor} with its number
 * @param host as Spark names it
 * @param checks by their names, in the order in which they were made
 */
record PlaceReport(String place, String host, Map<String, Finding> checks) {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** What the process of an executor is called. */
  static String executor(String id) {
    return "executor " + id;
  }

  String toJson() {
    try {
      return JSON.writeValueAsString(this);
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException(e);
    }
  }

  static PlaceReport parse(String json) {
    try {
      return JSON.readValue(json, PlaceReport.class);
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The same with one more finding. */
  PlaceReport with(String check, Finding finding) {
    Map<String, Finding> more = new LinkedHashMap<>(checks);
    more.put(check, finding);
    return new PlaceReport(place, host, more);
  }
}
