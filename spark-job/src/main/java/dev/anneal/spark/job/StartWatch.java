package dev.anneal.spark.job;

import dev.anneal.spark.cluster.Executors;
import dev.anneal.spark.progress.ExecutorLogs;
import dev.anneal.spark.session.RunSession;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.spark.SparkContext;

/**
 * Ends a run whose executors all end before they have registered: a standalone master starts others
 * without end, and Spark tells its application of none of them.
 */
final class StartWatch implements AutoCloseable {
  private static final Duration ROUND = Duration.ofSeconds(2);

  /** Ended in a row; a master of its own accord gives up after ten, unless one is just starting. */
  private static final int MOST_ENDED = 10;

  private final RunSession session;
  private final SparkContext spark;
  private final CountDownLatch closed = new CountDownLatch(1);

  StartWatch(RunSession session, SparkContext spark) {
    this.session = session;
    this.spark = spark;
    Thread thread = new Thread(this::watch, "anneal-start");
    thread.setDaemon(true);
    thread.start();
  }

  private void watch() {
    ExecutorLogs logs = new ExecutorLogs(spark);
    try {
      while (!closed.await(ROUND.toMillis(), TimeUnit.MILLISECONDS)
          && !spark.isStopped()
          && Executors.ids(spark).isEmpty()) {
        if (logs.begunOnThisMachine() > MOST_ENDED) {
          session.cancel();
          return;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    closed.countDown();
  }
}
