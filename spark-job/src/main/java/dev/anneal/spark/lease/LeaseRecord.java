package dev.anneal.spark.lease;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Optional;

/**
 * Who holds an output folder, as it stands there in JSON.
 *
 * @param startedAt of the run, in ISO 8601, for people
 */
record LeaseRecord(String runId, ProcessIdentity process, String startedAt) {
  private static final JsonMapper JSON =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();

  /** The record of a run that begins now. */
  static LeaseRecord of(String runId, ProcessIdentity process) {
    return new LeaseRecord(
        runId, process, Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
  }

  /** Reads a record; empty where it is half-written or none at all. */
  static Optional<LeaseRecord> parse(String json) {
    try {
      return Optional.ofNullable(JSON.readValue(json, LeaseRecord.class));
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  String json() {
    try {
      return JSON.writeValueAsString(this);
    } catch (IOException e) {
      throw new IllegalStateException("texts and numbers are JSON", e);
    }
  }

  /** Why a run cannot begin. */
  static BadRequestException refusal(RunFolder folder, Optional<LeaseRecord> holder) {
    return new BadRequestException(
        "output.path %s is being written by another run%s: wait for it, or choose another output.path."
            .formatted(folder.display(), holder.map(LeaseRecord::display).orElse("")));
  }

  /** Why a run can no longer say that it holds a folder. */
  static String removed(RunFolder folder) {
    return "%s in output.path %s was removed: this run writes nothing more there."
        .formatted(RunFolder.LOCK, folder.display());
  }

  /** The run as a sentence names it, with a space before it. */
  String display() {
    return " (started %s, process %s on host %s)"
        .formatted(startedAt, process.pid(), process.host());
  }
}
