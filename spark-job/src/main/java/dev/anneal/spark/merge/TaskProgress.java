package dev.anneal.spark.merge;

import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.IntConsumer;
import org.apache.spark.SparkStageInfo;
import org.apache.spark.api.java.JavaSparkContext;

/** Tells now and then how many tasks of a stage are done, as Spark counts them. */
final class TaskProgress implements AutoCloseable {
  private static final Duration ROUND = Duration.ofSeconds(1);

  private final JavaSparkContext spark;
  private final int tasks;
  private final IntConsumer done;
  private final CountDownLatch closed = new CountDownLatch(1);

  /**
   * Looks for a stage of so many tasks.
   *
   * @param done told how many of them are done, from a thread of its own
   */
  TaskProgress(JavaSparkContext spark, int tasks, IntConsumer done) {
    this.spark = spark;
    this.tasks = tasks;
    this.done = done;
    Thread thread = new Thread(this::watch, "anneal-progress");
    thread.setDaemon(true);
    thread.start();
  }

  private void watch() {
    try {
      while (!closed.await(ROUND.toMillis(), TimeUnit.MILLISECONDS)) {
        int now = completed();
        if (now < tasks) {
          done.accept(now);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private int completed() {
    return Arrays.stream(spark.statusTracker().getActiveStageIds())
        .mapToObj(spark.statusTracker()::getStageInfo)
        .filter(stage -> stage != null && stage.numTasks() == tasks)
        .mapToInt(SparkStageInfo::numCompletedTasks)
        .max()
        .orElse(0);
  }

  @Override
  public void close() {
    closed.countDown();
  }
}
