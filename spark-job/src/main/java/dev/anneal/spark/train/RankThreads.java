package dev.anneal.spark.train;

import dev.anneal.spark.progress.ExecutorObituary;
import dev.anneal.training.collective.Collectives;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.apache.spark.TaskKilledException;

/**
 * The ranks of one node, a thread each. The first that fails is told of before it leaves its peers,
 * and then the others are taken out of whatever they wait for; so they are when the task is to end.
 */
final class RankThreads {
  /** How long ranks may take to leave once one of them has failed. */
  static final Duration GRACE = Duration.ofSeconds(10);

  private static final Duration ROUND = Duration.ofMillis(200);

  /** One rank's work, which fails by throwing. */
  interface Work {
    /**
     * Does it.
     *
     * @param rank its number
     * @param ranks to be told of every group that the rank joins
     */
    void run(int rank, RankThreads ranks) throws Exception;
  }

  /** Told of the first failure, from the thread of the rank. */
  interface Report {
    void failed(int rank, Throwable failure);
  }

  private final BooleanSupplier cancelled;
  private final Report report;
  private final Duration grace;
  private final List<Collectives> groups = new CopyOnWriteArrayList<>();
  private final AtomicReference<Throwable> first = new AtomicReference<>();
  private volatile boolean leaving;
  private volatile boolean leftBehind;

  /**
   * @param cancelled whether the task is to end; asked again and again
   * @param grace how long ranks may take to leave; those that hang are left behind
   */
  RankThreads(BooleanSupplier cancelled, Report report, Duration grace) {
    this.cancelled = cancelled;
    this.report = report;
    this.grace = grace;
  }

  /** Takes a group down that has to be left when a rank fails. */
  <C extends Collectives> C joined(C group) {
    groups.add(group);
    if (leaving) {
      group.abort();
    }
    return group;
  }

  /**
   * To be called by a rank that fails while it is still in its groups: reports the failure if it is
   * the first.
   */
  void failed(int rank, Throwable failure) {
    if (!isCancelled() && first.compareAndSet(null, failure)) {
      report.failed(rank, failure);
    }
  }

  /**
   * Runs {@code count} ranks from {@code firstRank} on; returns when all are done.
   *
   * @throws Exception what the first of them threw
   */
  void run(int firstRank, int count, Work work) throws Exception {
    CountDownLatch running = new CountDownLatch(count);
    ClassLoader classes = Thread.currentThread().getContextClassLoader();
    List<Thread> threads = new ArrayList<>();
    for (int rank = firstRank; rank < firstRank + count; rank++) {
      int number = rank;
      Thread thread = new Thread(() -> run(number, work, running), "rank " + rank);
      thread.setContextClassLoader(classes);
      // one that hangs in native code must not keep the process
      thread.setDaemon(true);
      threads.add(thread);
    }
    threads.forEach(Thread::start);
    while (!running.await(ROUND.toMillis(), TimeUnit.MILLISECONDS) && !mustLeave()) {
      // look again
    }
    leave(running);
    Throwable failure = first.get();
    if (failure instanceof Exception exception) {
      throw exception;
    }
    if (failure != null) {
      throw new IllegalStateException(failure);
    }
  }

  /**
   * What a task throws when its ranks have failed. An executor in which a rank did not leave ends
   * with it: one that hangs in native code keeps its memory, and on a GPU everybody's.
   */
  RuntimeException ended(Throwable failure) {
    if (leftBehind && NodeTask.isExecutor()) {
      Runtime.getRuntime().halt(ExecutorObituary.HUNG);
    }
    return failure instanceof RuntimeException unchecked
        ? unchecked
        : new IllegalStateException(failure);
  }

  private boolean mustLeave() {
    return isCancelled() || first.get() != null;
  }

  /** What ranks throw when the task is to end is not the cause. */
  private boolean isCancelled() {
    if (cancelled.getAsBoolean()) {
      first.compareAndSet(null, new TaskKilledException("the task was told to end"));
      return true;
    }
    return false;
  }

  private void run(int rank, Work work, CountDownLatch running) {
    try {
      work.run(rank, this);
    } catch (Throwable e) {
      failed(rank, e);
    } finally {
      running.countDown();
    }
  }

  private void leave(CountDownLatch running) throws InterruptedException {
    if (first.get() == null) {
      return;
    }
    leaving = true;
    groups.forEach(Collectives::abort);
    leftBehind = !running.await(grace.toMillis(), TimeUnit.MILLISECONDS);
  }
}
