package dev.anneal.spark.session;

import dev.anneal.spark.storage.ObjectStoreDefaults;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.SparkSession;

/** A session that was there before the run and goes on after it; the run's jobs form a group. */
public final class CallersSession implements RunSession {
  private static final long ROUND_MILLIS = 500;

  /** What {@code SparkContext.setJobGroup} sets for the thread. */
  private static final List<String> GROUP_PROPERTIES =
      List.of("spark.jobGroup.id", "spark.job.description", "spark.job.interruptOnCancel");

  private final SparkSession session;
  private final String group = "anneal-" + UUID.randomUUID();
  private final Map<String, String> before = new HashMap<>();
  private final CountDownLatch closed = new CountDownLatch(1);

  /** The caller's session, for a run in this thread. */
  public CallersSession(SparkSession session) {
    this.session = session;
    for (String property : GROUP_PROPERTIES) {
      before.put(property, session.sparkContext().getLocalProperty(property));
    }
    session.sparkContext().setJobGroup(group, "Anneal", false);
  }

  @Override
  public SparkConf conf() {
    return session.sparkContext().getConf();
  }

  @Override
  public Configuration hadoop() {
    return ObjectStoreDefaults.addTo(session.sparkContext().hadoopConfiguration());
  }

  @Override
  public SparkSession open() {
    return session;
  }

  /** Spark cancels the jobs of a group that it knows; a run that goes on begins others. */
  @Override
  public void cancel() {
    Thread thread = new Thread(this::cancelUntilClosed, "anneal-cancel");
    thread.setDaemon(true);
    thread.start();
  }

  private void cancelUntilClosed() {
    SparkContext spark = session.sparkContext();
    try {
      do {
        spark.cancelJobGroup(group);
      } while (!closed.await(ROUND_MILLIS, TimeUnit.MILLISECONDS) && !spark.isStopped());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** How the application ends is its own affair. */
  @Override
  public void succeeded() {}

  @Override
  public void close() {
    closed.countDown();
    before.forEach(session.sparkContext()::setLocalProperty);
  }
}
