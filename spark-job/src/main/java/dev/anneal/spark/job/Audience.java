package dev.anneal.spark.job;

import dev.anneal.spark.Request;
import dev.anneal.spark.notify.Notice;
import dev.anneal.spark.notify.Webhooks;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.tracking.RunEnd;
import dev.anneal.spark.tracking.TrackedRun;
import dev.anneal.spark.tracking.Tracking;
import dev.anneal.training.trainer.StepMetrics;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/** Who follows a run from elsewhere: trackers from its training on, webhooks at its end. */
final class Audience {
  /** Whoever is told of an end that nobody hurries has limits of its own. */
  private static final Duration NO_HURRY = Duration.ofDays(1);

  private final Request request;
  private final RunFolder folder;
  private final Instant start;
  private final Consumer<String> display;
  private final UnaryOperator<String> mask;
  private final Farewell farewell;
  private volatile Tracking tracking;
  private volatile String applicationId;

  /**
   * @param start of the run
   * @param display told what goes wrong with them
   * @param mask hides what is secret
   */
  Audience(
      Request request,
      RunFolder folder,
      Instant start,
      Consumer<String> display,
      UnaryOperator<String> mask) {
    this.request = request;
    this.folder = folder;
    this.start = start;
    this.display = display;
    this.mask = mask;
    this.farewell = new Farewell(mask, this::tellWebhooks, this::tellTrackers);
  }

  /** Spark's name of the run. */
  void runsAs(String applicationId) {
    this.applicationId = applicationId;
  }

  /** From now on trackers follow. */
  Tracking track(TrackedRun run) {
    tracking = new Tracking(run, display);
    return tracking;
  }

  /** The run has ended by itself; {@code error} is {@code null} where it has succeeded. */
  void ended(RunEnd.State state, String error) {
    farewell.tell(state, error, () -> NO_HURRY);
  }

  /** The process is told to end: as {@link Farewell#tell}. */
  void interrupted(String sentence, Supplier<Duration> most) {
    farewell.tell(RunEnd.State.INTERRUPTED, sentence, most);
  }

  /** The run is about to be interrupted. */
  void ending(String sentence) {
    Tracking kept = tracking;
    if (kept != null) {
      kept.ending(new RunEnd(RunEnd.State.INTERRUPTED, mask.apply(sentence)));
    }
  }

  /** The folder is another run's. */
  void abandoned() {
    Tracking kept = tracking;
    if (kept != null) {
      kept.abandon();
    }
  }

  private void tellTrackers(RunEnd end, Duration most) {
    Tracking kept = tracking;
    if (kept != null) {
      kept.end(end, most);
    }
  }

  private void tellWebhooks(RunEnd end, Duration most) {
    Tracking kept = tracking;
    Notice.Progress progress =
        kept == null
            ? null
            : new Notice.Progress(
                kept.lastStep().map(StepMetrics::step).orElse(0L),
                kept.steps(),
                kept.lastStep().map(StepMetrics::loss).orElse(Double.NaN),
                kept.evalLoss());
    new Webhooks(request.config().webhooks(), display)
        .tell(
            new Notice(
                end,
                request.command().name().toLowerCase(Locale.ROOT),
                mask.apply(folder.display()),
                applicationId,
                start,
                Instant.now(),
                progress),
            most);
  }
}
