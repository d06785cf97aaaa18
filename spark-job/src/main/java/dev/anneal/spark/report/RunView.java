package dev.anneal.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.spark.storage.RunFolder;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.Optional;

/**
 * What a page shows of a run, as it was at one moment.
 *
 * @param location of its folder, a path or URI
 * @param record {@code run.json}
 * @param dataset {@code null} where there is none yet, or none that can be read
 * @param at that moment
 */
public record RunView(
    String location, JsonNode record, MetricsLog metrics, DatasetManifest dataset, Instant at) {

  public RunView {
    location = location.replaceFirst("(?<=[^/:])/+$", "");
  }

  /** The last part of its location. */
  String name() {
    String path = display();
    String last = path.substring(path.lastIndexOf('/') + 1);
    return last.isEmpty() ? location : last;
  }

  String display() {
    return RunFolder.display(location);
  }

  String state() {
    return record.path("state").asText("unknown");
  }

  /** Whether it goes on. */
  public boolean isRunning() {
    return state().equals("running");
  }

  /** How long the driver that wrote the record has been at it. */
  Optional<Duration> time() {
    Optional<Instant> start = instant(record.path("started_at"));
    Optional<Instant> end = isRunning() ? Optional.of(at) : instant(record.path("ended_at"));
    return start
        .flatMap(from -> end.map(to -> Duration.between(from, to)))
        .filter(time -> !time.isNegative());
  }

  /** A moment of the record, where it tells one. */
  static Optional<Instant> instant(JsonNode text) {
    try {
      return text.isTextual() ? Optional.of(Instant.parse(text.textValue())) : Optional.empty();
    } catch (DateTimeParseException e) {
      return Optional.empty();
    }
  }
}
