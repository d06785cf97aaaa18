package dev.anneal.spark.sparkui;

import dev.anneal.spark.report.RunSnapshot;
import dev.anneal.spark.report.RunView;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.apache.spark.SparkContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Shows a run in Spark's own pages, where they are there, and writes it to the event log, where
 * there is one. An event holds the whole run in at most some 100 KB, and the time between two grows
 * with the run, so that a log of weeks has a few hundred of them.
 */
public final class ShownRun implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ShownRun.class);

  /** Steps of a run that goes on. */
  private static final int LIVE_STEPS = 500;

  /** Steps of a run that has ended: as many as a curve has points. */
  private static final int STEPS = 2000;

  private static final Duration LEAST_PAUSE = Duration.ofSeconds(25);

  /** Of the time since the run began. */
  private static final double PAUSE = 0.05;

  private final String run;
  private final Supplier<RunView> view;
  private final UnaryOperator<String> masked;
  private final SparkContext spark;
  private final LongSupplier nanoClock;
  private final LiveRuns runs;
  private final long began;
  private long nextEvent;
  private boolean over;

  ShownRun(
      SparkContext spark,
      String id,
      Supplier<RunView> view,
      UnaryOperator<String> masked,
      LongSupplier nanoClock) {
    this.spark = spark;
    // in the order in which runs began
    this.run = String.format(Locale.ROOT, "%015d-%s", Instant.now().toEpochMilli(), id);
    this.view = view;
    this.masked = masked;
    this.nanoClock = nanoClock;
    this.began = nanoClock.getAsLong();
    this.nextEvent = began;
    this.runs = runs(spark);
    runs.put(run, () -> RunSnapshot.of(view.get(), STEPS, masked));
  }

  /**
   * Begins to show a run.
   *
   * @param id that no other run of the application has
   * @param view what the run is at this moment
   * @param masked what every text becomes before it is shown
   */
  public static ShownRun begin(
      SparkContext spark, String id, Supplier<RunView> view, UnaryOperator<String> masked) {
    return new ShownRun(spark, id, view, masked, System::nanoTime);
  }

  // none of Spark's promises holds for its pages: a vendor's Spark may have others
  private static LiveRuns runs(SparkContext spark) {
    try {
      return LiveRuns.of(spark);
    } catch (RuntimeException | LinkageError e) {
      LOG.warn("Spark's pages have no tab for the run", e);
      return LiveRuns.unseen();
    }
  }

  /** Shows what the run is now; the last time is when it has ended. */
  public synchronized void now() {
    if (over) {
      return;
    }
    try {
      tell(view.get());
    } catch (RuntimeException | LinkageError e) {
      LOG.warn("Spark's pages and event log do not show the run as it is now", e);
    }
  }

  private void tell(RunView seen) {
    over = !seen.isRunning();
    long now = nanoClock.getAsLong();
    if (over || now - nextEvent >= 0) {
      String snapshot = RunSnapshot.of(seen, over ? STEPS : LIVE_STEPS, masked);
      if (over) {
        // what it has measured need not stay in memory
        runs.put(run, () -> snapshot);
      }
      post(snapshot);
      nextEvent = now + Math.max(LEAST_PAUSE.toNanos(), (long) (PAUSE * (now - began)));
    }
  }

  private void post(String snapshot) {
    if (spark.getConf().getBoolean("spark.eventLog.enabled", false)) {
      spark.listenerBus().post(new RunEvent(run, snapshot));
    }
  }

  /** A run that has not ended by now is another process's. */
  @Override
  public synchronized void close() {
    // whoever shows its end may still wait for a slow store
    now();
    if (!over) {
      over = true;
      runs.remove(run);
    }
  }
}
