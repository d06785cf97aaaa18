package dev.anneal.spark.job;

import dev.anneal.spark.tracking.RunEnd;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells everybody who keeps a run or waits for it how it has ended: once, and each whatever becomes
 * of the others. What goes wrong changes nothing.
 */
final class Farewell {
  private static final Logger LOG = LoggerFactory.getLogger(Farewell.class);

  /** Somebody who is told. */
  interface Listener {
    /**
     * Tells of the end.
     *
     * @param most how long it may take at most
     */
    void tell(RunEnd end, Duration most);
  }

  private final UnaryOperator<String> masked;
  private final List<Listener> listeners;
  private final AtomicBoolean told = new AtomicBoolean();

  /**
   * @param masked what a text becomes before anybody sees it
   */
  Farewell(UnaryOperator<String> masked, Listener... listeners) {
    this.masked = masked;
    this.listeners = List.of(listeners);
  }

  /**
   * Tells them, one after the other.
   *
   * @param error {@code null}: none
   * @param most asked anew by everybody
   */
  void tell(RunEnd.State state, String error, Supplier<Duration> most) {
    // a process that is told to end while a finished run's adapter is uploaded has not failed
    if (!told.compareAndSet(false, true)) {
      return;
    }
    RunEnd end = new RunEnd(state, masked.apply(error));
    for (Listener listener : listeners) {
      try {
        listener.tell(end, most.get());
      } catch (RuntimeException | Error e) {
        // an Error too: a run that has succeeded has succeeded
        LOG.warn("the end of the run was not told: {}", masked.apply(e.toString()));
      }
    }
  }
}
