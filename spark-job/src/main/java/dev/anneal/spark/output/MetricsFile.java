package dev.anneal.spark.output;

import dev.anneal.spark.storage.RunFolder;
import dev.anneal.training.trainer.StepMetrics;
import java.io.IOException;
import java.time.Duration;
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
 * the file is written anew as a whole: now and then, and at {@link #flush}; the longer that takes,
 * the more seldom.
 */
public final class MetricsFile implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(MetricsFile.class);
  private static final Duration REWRITE_EVERY = Duration.ofSeconds(30);
  private static final Duration LAST_WRITE = Duration.ofSeconds(10);

  private final MetricsLog log;
  private final PublishedLines published;
  private final Duration rewriteEvery;
  private final ScheduledThreadPoolExecutor writer;

  // null once it has begun
  private Future<?> next;
  // the file may hold what the log does not
  private boolean outdated = true;
  private IOException failure;

  // only the writer's thread knows it
  private MetricsLine written;

  MetricsFile(RunFolder folder, MetricsLog log, Duration rewriteEvery) {
    this.log = log;
    this.published = new PublishedLines(folder);
    this.rewriteEvery = rewriteEvery;
    this.writer = new ScheduledThreadPoolExecutor(1, MetricsFile::daemon);
    writer.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "metrics");
    thread.setDaemon(true);
    return thread;
  }

  /** Begins the file of a new run. */
  public static MetricsFile create(RunFolder folder) throws IOException {
    return open(folder, new MetricsLog());
  }

  /**
   * Begins the file with what was measured before.
   *
   * @param log which is only changed through this file from now on
   * @throws IOException if it cannot be written
   */
  public static MetricsFile open(RunFolder folder, MetricsLog log) throws IOException {
    MetricsFile file = new MetricsFile(folder, log, REWRITE_EVERY);
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
    outdated |= !log.put(line);
    schedule();
  }

  /** Forgets what came after a step, because the run goes on from there. */
  public synchronized void rewind(long step) {
    log.rewind(step);
    outdated = true;
    schedule();
  }

  private void schedule() {
    if (next == null) {
      long wait = published.grows() ? 0 : published.pause(rewriteEvery).toNanos();
      next = writer.schedule(this::publish, wait, TimeUnit.NANOSECONDS);
    }
  }

  /**
   * Brings the file up to date now, as far as the file system lets it: what fails is tried again
   * with later lines, at the next flush and by {@link #requireComplete}. Does nothing once the file
   * is closed, as it may be while a checkpoint is still being completed.
   */
  public void flush() {
    try {
      writer.submit(this::publish).get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RejectedExecutionException | CancellationException e) {
      LOG.debug("{} is closed", RunFolder.METRICS, e);
    } catch (ExecutionException e) {
      ended(new IOException(e.getCause()));
    }
  }

  /** Brings the file up to date; throws what stands in the way of that. */
  public void requireComplete() throws IOException {
    flush();
    synchronized (this) {
      if (failure != null) {
        throw new IOException(RunFolder.METRICS + ": " + failure.getMessage(), failure);
      }
    }
  }

  private void publish() {
    MetricsLine last;
    boolean anew;
    byte[] lines;
    synchronized (this) {
      next = null;
      last = log.last();
      if (!outdated && Objects.equals(last, written)) {
        return;
      }
      anew = outdated || !published.grows();
      lines = log.after(anew ? null : written);
      outdated = false;
    }
    IOException thrown = null;
    try {
      if (anew) {
        published.replace(lines);
      } else {
        published.append(lines);
      }
      written = last;
    } catch (IOException e) {
      thrown = e;
    } catch (RuntimeException | Error e) {
      // an Error too: nobody hears of what a scheduled task throws
      thrown = new IOException(e);
    }
    ended(thrown);
  }

  private synchronized void ended(IOException thrown) {
    failure = thrown;
    // nobody knows how much of the last lines has arrived
    outdated |= thrown != null;
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
