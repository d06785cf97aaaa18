package dev.anneal.spark.report;

import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps {@code report.html} in the output folder while a run goes on. It writes in a thread of its
 * own, so that a slow or absent store holds nobody up, and whatever goes wrong with the page goes
 * wrong with nothing else: it is told once.
 */
public final class LiveReport implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(LiveReport.class);
  private static final Duration EVERY = Duration.ofSeconds(30);
  private static final Duration LAST_WRITE = Duration.ofSeconds(10);

  /** The longer a page takes, the more seldom: at most a twentieth of the time. */
  private static final int PAUSE_PER_WRITE = 20;

  private final RunFolder folder;
  private final Supplier<RunView> view;
  private final Runnable others;
  private final UnaryOperator<String> masked;
  private final long everyNanos;
  private final ScheduledThreadPoolExecutor writer;
  private boolean warned;

  LiveReport(
      RunFolder folder,
      Supplier<RunView> view,
      Runnable others,
      UnaryOperator<String> masked,
      Duration every) {
    this.folder = folder;
    this.view = view;
    this.others = others;
    this.masked = masked;
    this.everyNanos = every.toNanos();
    this.writer = new ScheduledThreadPoolExecutor(1, work -> daemon(work, "report"));
    writer.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
  }

  /**
   * Writes the page now, and from then on every now and then.
   *
   * @param view what the run is at this moment
   * @param others shows it elsewhere, as often
   * @param masked what every text becomes before it is written
   */
  public static LiveReport begin(
      RunFolder folder, Supplier<RunView> view, Runnable others, UnaryOperator<String> masked) {
    LiveReport report = new LiveReport(folder, view, others, masked, EVERY);
    report.schedule(0);
    return report;
  }

  void schedule(long nanos) {
    try {
      Future<?> unused = writer.schedule(this::round, nanos, TimeUnit.NANOSECONDS);
    } catch (RejectedExecutionException e) {
      LOG.debug("{} is closed", RunFolder.REPORT, e);
    }
  }

  private void round() {
    long began = System.nanoTime();
    write();
    schedule(Math.max(everyNanos, PAUSE_PER_WRITE * (System.nanoTime() - began)));
  }

  /** One page at a time, so that none replaces a later one. */
  private synchronized void write() {
    try {
      others.run();
      folder.write(RunFolder.REPORT, ReportPage.of(List.of(view.get()), masked));
    } catch (IOException | RuntimeException | Error e) {
      // an Error too: nobody hears of what a scheduled task throws
      if (!warned) {
        LOG.warn("{} cannot be written: {}", RunFolder.REPORT, masked.apply(e.toString()));
      }
      LOG.debug("{} cannot be written", RunFolder.REPORT, e);
      warned = true;
    }
  }

  /** Writes the last page, of a run that has ended; returns when it is there, or after a while. */
  public void ended() {
    ended(LAST_WRITE.toMillis());
  }

  /**
   * Same as {@link #ended()}, for a process that has little time left.
   *
   * @param millis how long to wait at most
   */
  public void ended(long millis) {
    Thread last = daemon(this::write, "last report");
    last.start();
    try {
      // 0 would be for ever
      last.join(Math.max(1, millis));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Begins no further page. */
  @Override
  public void close() {
    writer.shutdown();
    try {
      if (!writer.awaitTermination(LAST_WRITE.toSeconds(), TimeUnit.SECONDS)) {
        LOG.debug("{} is still being written", RunFolder.REPORT);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static Thread daemon(Runnable work, String name) {
    Thread thread = new Thread(work, name);
    thread.setDaemon(true);
    return thread;
  }
}
