package dev.anneal.spark.tracking;

import java.io.IOException;
import java.time.Duration;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps a tracker up to date in a thread of its own, so that a place that is slow or away holds
 * nobody up. What does not work is tried again, the more seldom the longer it does not, and said
 * once.
 */
final class TrackerThread {
  private static final Logger LOG = LoggerFactory.getLogger(TrackerThread.class);
  private static final int MOST_PAUSES = 12;
  private static final long LAST_PAUSE_MILLIS = 500;

  private final Tracker tracker;
  private final Duration interval;
  private final Consumer<String> say;
  private final UnaryOperator<String> masked;
  private final Thread thread;

  private RunEnd end;
  private boolean warned;
  private volatile boolean ending;
  private volatile boolean done;

  /**
   * Begins.
   *
   * @param interval between two updates
   * @param say told of what somebody should know, a sentence each
   * @param masked what a text becomes before it is logged
   */
  TrackerThread(
      Tracker tracker, Duration interval, Consumer<String> say, UnaryOperator<String> masked) {
    this.tracker = tracker;
    this.interval = interval;
    this.say = say;
    this.masked = masked;
    this.thread = new Thread(this::run, "anneal-" + tracker.name());
    thread.setDaemon(true);
    thread.start();
  }

  private void run() {
    try {
      for (int failures = 0; ; ) {
        try {
          tracker.update();
          failures = 0;
          RunEnd told = told();
          if (told != null) {
            // what was measured between the last update and the end
            tracker.update();
            ending = true;
            tracker.end(told);
            done = true;
            return;
          }
        } catch (Tracker.Refusal e) {
          warn("%s takes nothing (%s): the run goes on without it.", e);
          done = true;
          return;
        } catch (IOException e) {
          ending = false;
          failures++;
          LOG.debug("{} does not work now", tracker.name(), e);
          warn("%s cannot be reached now (%s): the run goes on, and tries again.", e);
        }
        pause(Math.min(1 + failures, MOST_PAUSES));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException | Error e) {
      // nobody else hears of what this thread throws; a stack trace may hold a header's secret
      LOG.warn("{} has failed: {}", tracker.name(), masked.apply(e.toString()));
      warn("%s has failed (%s): the run goes on without it.", e);
      done = true;
    }
  }

  private void warn(String sentence, Throwable e) {
    if (!warned) {
      warned = true;
      String why = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
      say.accept(sentence.formatted(tracker.name(), why));
    }
  }

  private synchronized RunEnd told() {
    return end;
  }

  private void pause(int times) throws InterruptedException {
    if (told() == null) {
      awaitEnd(System.nanoTime() + times * interval.toNanos());
    } else if (times > 1) {
      // at the end there is no more time to lose
      Thread.sleep(LAST_PAUSE_MILLIS);
    }
  }

  private synchronized void awaitEnd(long nanoDeadline) throws InterruptedException {
    long left = nanoDeadline - System.nanoTime();
    while (end == null && left > 0) {
      wait(Math.max(1, Duration.ofNanos(left).toMillis()));
      left = nanoDeadline - System.nanoTime();
    }
  }

  /** The run is over; what is told first counts. */
  synchronized void end(RunEnd how) {
    end = end == null ? how : end;
    notifyAll();
  }

  /**
   * Waits until the place knows of the end, but not for ever.
   *
   * @param nanoDeadline until when it must have got everything that was measured
   * @param nanoLonger until when it must have done what it does at the end
   */
  void await(long nanoDeadline, long nanoLonger) {
    try {
      join(nanoDeadline);
      if (ending) {
        join(nanoLonger);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (!done) {
      thread.interrupt();
      say.accept(
          "%s has not got everything in time: what is missing lies in the output folder."
              .formatted(tracker.name()));
    }
  }

  private void join(long nanoDeadline) throws InterruptedException {
    thread.join(Math.max(1, Duration.ofNanos(nanoDeadline - System.nanoTime()).toMillis()));
  }

  /** Tells nobody anything more. */
  void abandon() {
    done = true;
    thread.interrupt();
  }
}
