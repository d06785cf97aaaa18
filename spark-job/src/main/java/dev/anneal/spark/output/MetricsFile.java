package dev.anneal.spark.output;

import dev.anneal.spark.storage.RunFolder;
import dev.anneal.training.trainer.StepMetrics;
import java.io.IOException;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code metrics.jsonl} as the world sees it: a copy of a {@link MetricsLog}, brought up to date by
 * a thread of its own, so that a slow or absent store holds nobody up. Where a file can be appended
 * to, a line is there as soon as it is told. Elsewhere, and after a failure or a {@link #rewind},
 * the file is written anew: now and then, and at {@link #flush}; the longer that takes, the more
 * seldom. Where it can never be appended to, the first of very many lines lie in {@link
 * MetricsSegments} until {@link #requireComplete}.
 */
public final class MetricsFile implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(MetricsFile.class);
  private static final Duration REWRITE_EVERY = Duration.ofSeconds(30);
  private static final Duration LAST_WRITE = Duration.ofSeconds(10);
  private static final int SEGMENT_LINES = 50_000;

  private final MetricsLog log;
  private final PublishedLines published;
  private final MetricsSegments segments;
  private final Duration rewriteEvery;
  private final ScheduledThreadPoolExecutor writer;

  // null once it has begun
  private Future<?> next;
  // the file may hold what the log does not
  private boolean outdated = true;
  // the first line by which it differs from the log; null behind all that were written
  private MetricsLine changed;
  private IOException failure;

  // only the writer's thread knows it
  private MetricsLine written;

  MetricsFile(RunFolder folder, MetricsLog log, Duration rewriteEvery, int segmentLines) {
    this.log = log;
    this.published = new PublishedLines(folder);
    this.segments = new MetricsSegments(folder, segmentLines);
    this.rewriteEvery = rewriteEvery;
    this.writer = new ScheduledThreadPoolExecutor(1, MetricsFile::daemon);
    writer.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "metrics");
    thread.setDaemon(true);
    return thread;
  }

  /**
   * Begins the file with what was measured before.
   *
   * @param log which is only changed through this file from now on
   * @throws IOException if it cannot be written
   */
  public static MetricsFile open(RunFolder folder, MetricsLog log) throws IOException {
    MetricsFile file = new MetricsFile(folder, log, REWRITE_EVERY, SEGMENT_LINES);
    try {
      file.requireComplete();
      return file;
    } catch (IOException e) {
      file.close();
      throw e;
    }
  }

  /** What the file shows. */
  public MetricsLog log() {
    return log;
  }

  public void step(StepMetrics metrics) {
    put(MetricsLine.of(metrics));
  }

  public void evaluation(long step, double evalLoss) {
    put(MetricsLine.of(step, evalLoss));
  }

  private synchronized void put(MetricsLine line) {
    if (!log.put(line)) {
      changed(line);
    }
    schedule();
  }

  private void changed(MetricsLine from) {
    outdated = true;
    changed = changed == null || from.compareTo(changed) < 0 ? from : changed;
  }

  /** Forgets what came after a step, because the run goes on from there. */
  public synchronized void rewind(long step) {
    log.rewind(step);
    changed(MetricsLog.end(step));
    schedule();
  }

  private void schedule() {
    if (next == null) {
      long wait = published.grows() ? 0 : published.pause(rewriteEvery).toNanos();
      next = writer.schedule(() -> publish(Extent.END), wait, TimeUnit.NANOSECONDS);
    }
  }

  /**
   * Brings the file up to date now, as far as the file system lets it: what fails is tried again
   * with later lines, at the next flush and by {@link #requireComplete}. Does nothing once the file
   * is closed, as it may be while a checkpoint is still being completed.
   */
  public void flush() {
    publishNow(Extent.END);
  }

  /** Brings the file up to date, as one of all lines; throws what stands in the way of that. */
  public void requireComplete() throws IOException {
    publishNow(Extent.WHOLE);
    synchronized (this) {
      if (failure != null) {
        throw new IOException(RunFolder.METRICS + ": " + failure.getMessage(), failure);
      }
    }
  }

  /** What of the lines the file is to hold. */
  private enum Extent {
    /** Those behind the segments. */
    END,
    WHOLE
  }

  private void publishNow(Extent extent) {
    try {
      writer.submit(() -> publish(extent)).get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RejectedExecutionException | CancellationException e) {
      LOG.debug("{} is closed", RunFolder.METRICS, e);
    } catch (ExecutionException e) {
      ended(new IOException(e.getCause()), null);
    }
  }

  private void publish(Extent extent) {
    MetricsLine last;
    MetricsLine from;
    boolean anew;
    List<MetricsLine> lines;
    synchronized (this) {
      next = null;
      last = log.last();
      boolean asItIs = extent == Extent.END || segments.areNone();
      if (!outdated && asItIs && Objects.equals(last, written)) {
        return;
      }
      anew = outdated || !published.grows();
      lines = log.after(anew ? null : written);
      from = changed;
      outdated = false;
      changed = null;
    }
    IOException thrown = null;
    try {
      if (!anew) {
        published.append(out -> MetricsLog.write(lines, out));
      } else if (extent == Extent.WHOLE || published.canGrow()) {
        published.replace(out -> MetricsLog.write(lines, out));
        segments.remove();
      } else {
        replaceEnd(lines, from);
      }
      written = last;
    } catch (IOException e) {
      thrown = e;
    } catch (RuntimeException | Error e) {
      // an Error too: nobody hears of what a scheduled task throws
      thrown = new IOException(e);
    }
    ended(thrown, from);
  }

  private void replaceEnd(List<MetricsLine> lines, MetricsLine from) throws IOException {
    if (from != null) {
      segments.removeFrom(from);
    }
    int closed = segments.areNone() ? 0 : Collections.binarySearch(lines, segments.end()) + 1;
    List<MetricsLine> rest = segments.close(lines.subList(closed, lines.size()));
    published.replace(out -> MetricsLog.write(rest, out));
  }

  private synchronized void ended(IOException thrown, MetricsLine from) {
    failure = thrown;
    if (thrown == null) {
      return;
    }
    // nobody knows how much of the last lines has arrived
    outdated = true;
    if (from != null) {
      changed(from);
    }
  }

  /** Writes nothing more; what was not flushed may be missing. */
  @Override
  public void close() throws IOException {
    writer.shutdown();
    try {
      if (writer.awaitTermination(LAST_WRITE.toSeconds(), TimeUnit.SECONDS)) {
        published.close();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
