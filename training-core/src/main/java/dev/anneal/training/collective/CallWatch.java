package dev.anneal.training.collective;

import dev.anneal.training.tensor.NativeErrors;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;

/**
 * Watches over calls that nobody waits for, from a thread of its own. Calls end in the order in
 * which they began. When one has not ended within the timeout, counted from the end of the one
 * before it, or asking for it throws, the watch says so once and is over.
 */
final class CallWatch implements AutoCloseable {
  private static final Duration LONGEST_PAUSE = Duration.ofMillis(100);

  /** A call that has begun. */
  interface Call {
    String name();

    /** Whether it has ended; the watch asks until it has, and not again. */
    boolean isDone();
  }

  private record Begun(Call call, long nanos) {}

  private final Queue<Begun> calls = new ConcurrentLinkedQueue<>();
  private final String caller;
  private final Duration timeout;
  private final Runnable health;
  private final Consumer<CollectiveException> onFailure;
  private final Thread thread;
  private volatile boolean closed;

  /**
   * Starts to watch.
   *
   * @param caller who makes the calls, as messages name it
   * @param health asked at every round whether all is well; throws if not
   */
  CallWatch(
      String caller, Duration timeout, Runnable health, Consumer<CollectiveException> onFailure) {
    this.caller = caller;
    this.timeout = timeout;
    this.health = health;
    this.onFailure = onFailure;
    this.thread = new Thread(this::watch, "watch over " + caller);
    thread.setDaemon(true);
    thread.start();
  }

  /** Watches over one more call. */
  void begin(Call call) {
    calls.add(new Begun(call, System.nanoTime()));
  }

  private void watch() {
    long lastEnd = System.nanoTime();
    while (!closed) {
      try {
        health.run();
        Begun first = calls.peek();
        while (first != null && first.call().isDone()) {
          lastEnd = System.nanoTime();
          calls.remove();
          first = calls.peek();
        }
        if (first != null && nanosSince(first.nanos(), lastEnd) > timeout.toNanos()) {
          onFailure.accept(expired(first.call()));
          return;
        }
        Thread.sleep(Math.min(LONGEST_PAUSE.toMillis(), 1 + timeout.toMillis() / 10));
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException e) {
        onFailure.accept(
            new CollectiveException("%s: %s".formatted(caller, NativeErrors.firstLine(e)), e));
        return;
      }
    }
  }

  private static long nanosSince(long one, long other) {
    long now = System.nanoTime();
    return Math.min(now - one, now - other);
  }

  private CollectiveException expired(Call call) {
    return new CollectiveException(
        "%s waited %s s for its peers in %s: look for the first error of the other ranks."
            .formatted(caller, timeout.toSeconds(), call.name()),
        null,
        PeerLoss.TIMED_OUT);
  }

  /** Returns when nothing is asked any more. */
  @Override
  public void close() {
    closed = true;
    thread.interrupt();
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
