package dev.anneal.spark.storage;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.util.Optional;

/**
 * What {@code run.lock} says.
 *
 * @param startedAt of the run, in ISO 8601, for people
 * @param beat grows while the run lives
 */
record LeaseRecord(String runId, ProcessIdentity process, String startedAt, long beat) {
  private static final JsonMapper JSON =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();

  /** Reads the file; empty where it is half-written or no lock at all. */
  static Optional<LeaseRecord> parse(byte[] json) {
    try {
      return Optional.ofNullable(JSON.readValue(json, LeaseRecord.class));
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  byte[] json() {
    try {
      return JSON.writeValueAsBytes(this);
    } catch (IOException e) {
      throw new IllegalStateException("texts and numbers are JSON", e);
    }
  }

  LeaseRecord nextBeat() {
    return new LeaseRecord(runId, process, startedAt, beat + 1);
  }

  boolean isOfSameRun(LeaseRecord other) {
    return runId.equals(other.runId) && process.equals(other.process);
  }

  /** The run as a refusal names it. */
  String display() {
    return "started %s, process %d on host %s".formatted(startedAt, process.pid(), process.host());
  }
}
