package dev.anneal.spark.job;

import java.time.Duration;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * What a run still does when its process is told to end: one thing after the other, and all that
 * waits for somebody within one time.
 */
final class Leaving implements Runnable {
  /** What is left of half a minute is for the record, the lease and the end of Spark. */
  static final Duration WAITING = Duration.ofSeconds(27);

  private static final Duration LAST_WORDS = Duration.ofSeconds(2);

  /** What is to be done, in its order. A {@code most} is how long it may wait; it may be zero. */
  interface Work {
    /** Takes a checkpoint, if there is something to be kept; returns how the run stands. */
    String leave(Duration most);

    void say(String sentence, Duration most);

    void record(String sentence);

    void page(String sentence, Duration most);

    void letGoOfFolder();

    /**
     * Tells whoever waits for the run elsewhere.
     *
     * @param most asked anew by everybody who is told
     */
    void tell(String sentence, Supplier<Duration> most);

    void closeSession();
  }

  private final Work work;
  private final LongSupplier nanos;

  Leaving(Work work, LongSupplier nanos) {
    this.work = work;
    this.nanos = nanos;
  }

  @Override
  public void run() {
    long deadline = nanos.getAsLong() + WAITING.toNanos();
    Supplier<Duration> most = () -> shorter(left(deadline), LAST_WORDS);
    String sentence = work.leave(left(deadline));
    work.say(sentence, most.get());
    work.record(sentence);
    work.page(sentence, most.get());
    // the same command may go on while others are still told of this one
    work.letGoOfFolder();
    work.tell(sentence, most);
    // in order, where Spark's own hooks would run all at once
    work.closeSession();
  }

  private Duration left(long deadline) {
    return Duration.ofNanos(Math.max(0, deadline - nanos.getAsLong()));
  }

  private static Duration shorter(Duration a, Duration b) {
    return a.compareTo(b) < 0 ? a : b;
  }
}
