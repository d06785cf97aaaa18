package dev.anneal.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** How long the phases of a run have taken, over all its attempts, by {@code run.json}. */
final class Phases {
  private static final String STARTING = "starting ranks";

  /** Where a phase begins, or with {@code null} where none is under way. */
  private record Mark(Instant at, String phase) {}

  private final List<Mark> marks = new ArrayList<>();
  private final List<Instant> known = new ArrayList<>();

  private Phases() {}

  /**
   * The phases in the order in which they first began. Of an attempt whose driver was killed what
   * is known is counted: up to its last phase or checkpoint.
   */
  static Map<String, Duration> of(RunView run) {
    Phases phases = new Phases();
    phases.read(run);
    phases.marks.sort(Comparator.comparing(Mark::at));
    return phases.sums();
  }

  private void read(RunView run) {
    JsonNode record = run.record();
    for (JsonNode phase : record.path("phases")) {
      RunView.instant(phase.path("began_at"))
          .ifPresent(at -> mark(at, phase.path("phase").asText()));
    }
    for (JsonNode checkpoint : record.at("/checkpoints/completed")) {
      RunView.instant(checkpoint.path("at")).ifPresent(known::add);
    }
    JsonNode attempts = record.path("attempts");
    for (int i = 0; i < attempts.size(); i++) {
      JsonNode attempt = attempts.get(i);
      RunView.instant(attempt.path("began_at")).ifPresent(at -> mark(at, STARTING));
      RunView.instant(attempt.path("ended_at")).ifPresent(at -> mark(at, null));
      if (!attempt.has("ended_at") && i + 1 < attempts.size()) {
        RunView.instant(attempts.get(i + 1).path("began_at")).ifPresent(this::killedBefore);
      }
    }
    RunView.instant(record.path("ended_at")).ifPresent(at -> mark(at, null));
    if (run.isRunning()) {
      mark(run.at(), null);
    }
  }

  private void mark(Instant at, String phase) {
    marks.add(new Mark(at, phase));
    known.add(at);
  }

  private void killedBefore(Instant next) {
    known.stream()
        .filter(at -> at.isBefore(next))
        .max(Comparator.naturalOrder())
        .ifPresent(at -> marks.add(new Mark(at, null)));
  }

  private Map<String, Duration> sums() {
    Map<String, Duration> sums = new LinkedHashMap<>();
    for (int i = 0; i + 1 < marks.size(); i++) {
      Mark mark = marks.get(i);
      if (mark.phase() != null) {
        sums.merge(
            mark.phase(), Duration.between(mark.at(), marks.get(i + 1).at()), Duration::plus);
      }
    }
    return sums;
  }
}
