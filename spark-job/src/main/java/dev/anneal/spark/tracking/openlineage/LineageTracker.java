package dev.anneal.spark.tracking.openlineage;

import dev.anneal.spark.tracking.RunEnd;
import dev.anneal.spark.tracking.TrackedRun;
import dev.anneal.spark.tracking.Tracker;
import java.io.IOException;
import java.time.Instant;
import java.util.Optional;
import java.util.UUID;
import org.apache.spark.SparkContext;

/**
 * Tells OpenLineage of the run: the rows it was made from, which Spark's own events show only where
 * they come from a table, and the adapter, which they never show.
 */
public final class LineageTracker implements Tracker {
  private final LineageListener listener;
  private final LineageEvents events;
  private boolean begun;

  private LineageTracker(LineageListener listener, TrackedRun run) {
    this.listener = listener;
    this.events = new LineageEvents(run, UUID.randomUUID().toString());
  }

  /**
   * The tracker of an application that has OpenLineage's listener.
   *
   * @throws Refusal if the listener is of a version that cannot be spoken to
   */
  public static Optional<Tracker> of(SparkContext spark, TrackedRun run) throws Refusal {
    try {
      return LineageListener.of(spark).map(listener -> new LineageTracker(listener, run));
    } catch (ReflectiveOperationException | RuntimeException | LinkageError e) {
      // a vendor's Spark may lack what is linked
      throw refusal(e);
    }
  }

  @Override
  public String name() {
    return "OpenLineage";
  }

  @Override
  public void update() throws IOException {
    if (!begun) {
      begun = true;
      emit(null);
    }
  }

  @Override
  public void end(RunEnd end) throws IOException {
    emit(end);
  }

  private void emit(RunEnd end) throws Refusal {
    try {
      listener.emit(events.json(listener.application(), end, Instant.now()));
    } catch (ReflectiveOperationException e) {
      throw refusal(e);
    }
  }

  private static Refusal refusal(Throwable e) {
    return new Refusal("this version of its listener is not known: " + e);
  }
}
