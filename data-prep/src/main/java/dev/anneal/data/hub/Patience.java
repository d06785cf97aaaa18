package dev.anneal.data.hub;

import java.io.IOException;
import java.io.Serializable;
import java.time.Duration;

/**
 * How often and how long something is tried that brings nothing.
 *
 * @param attempts that bring nothing, one after the other
 * @param pause after the first of them; it doubles with each, up to half a minute
 * @param longest that the hub may ask to wait for
 */
public record Patience(int attempts, Duration pause, Duration longest) implements Serializable {
  private static final long serialVersionUID = 1L;
  private static final long LONGEST_PAUSE_MILLIS = 30_000;

  /** A minute in all where nobody answers, and as long as the hub's limits last. */
  public static final Patience USUAL =
      new Patience(8, Duration.ofMillis(500), Duration.ofMinutes(10));

  /** Something that may fail and be tried again. */
  @FunctionalInterface
  interface Call<T> {
    T run() throws IOException;
  }

  /** Tries until it works. */
  <T> T insist(Call<T> call) throws IOException {
    for (int fruitless = 1; ; fruitless++) {
      try {
        return call.run();
      } catch (IOException e) {
        await(e, fruitless);
      }
    }
  }

  /**
   * Waits before the next attempt.
   *
   * @param fruitless attempts that have brought nothing, with this one; 0 after one that has
   * @throws IOException the failure, if there is to be no other attempt
   */
  void await(IOException failure, int fruitless) throws IOException {
    if (fruitless >= attempts || failure instanceof HubClient.ChangedException) {
      throw failure;
    }
    long millis =
        fruitless == 0 ? 0 : Math.min(LONGEST_PAUSE_MILLIS, pause.toMillis() << (fruitless - 1));
    if (failure instanceof HubClient.BusyException busy) {
      if (busy.wait.compareTo(longest) > 0) {
        throw failure;
      }
      millis = Math.max(millis, busy.wait.toMillis());
    }
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }
}
