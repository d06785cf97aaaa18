package dev.anneal.training.cuda;

import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeErrors;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * Memory that is freed once a device is done with it. The device is waited for, but not for long,
 * since after a failure its work may wait for a rank that is gone. Then a thread frees the memory
 * when the work has ended; if it never does, nobody.
 *
 * @param amount how much of what, for a user
 */
public record LateRelease(Device device, String amount, Free free) {
  private static final Duration POLL = Duration.ofMillis(10);

  /** Gives the memory back. */
  public interface Free {
    /** From any thread; the cause if some of it is kept. */
    Optional<String> run();
  }

  /** Whether what the current stream has been given so far is done; asked until it is. */
  public static BooleanSupplier currentWork(Device device) {
    CudaEvent end = new CudaEvent(device);
    try {
      end.record();
    } catch (RuntimeException e) {
      return () -> {
        throw e;
      };
    }
    return () -> {
      boolean done = end.isDone();
      if (done) {
        end.close();
      }
      return done;
    };
  }

  /**
   * Frees the memory when {@code unused}.
   *
   * @param unused whether the device is done; throws where nobody can know
   * @throws IllegalStateException if the memory is not free when it returns; says why
   */
  public void when(BooleanSupplier unused, Duration patience) {
    boolean done;
    try {
      done = comesTrue(unused, patience);
    } catch (RuntimeException e) {
      throw new IllegalStateException(
          "%s has failed, and the %s are kept until the process ends (%s)"
              .formatted(device, amount, NativeErrors.firstLine(e)),
          e);
    }
    if (!done) {
      Thread thread = new Thread(() -> freeWhen(unused), "release on " + device);
      thread.setDaemon(true);
      thread.start();
      throw new IllegalStateException(
          "%s still works after %s s, and the %s are kept until it is done"
              .formatted(device, patience.toMillis() / 1e3, amount));
    }
    free.run()
        .ifPresent(
            cause -> {
              throw new IllegalStateException(cause);
            });
  }

  private static boolean comesTrue(BooleanSupplier condition, Duration patience) {
    long deadline = System.nanoTime() + patience.toNanos();
    boolean is = condition.getAsBoolean();
    while (!is && System.nanoTime() < deadline) {
      LockSupport.parkNanos(POLL.toNanos());
      is = condition.getAsBoolean();
    }
    return is;
  }

  /** On a thread that nobody waits for; a device that fails meanwhile may still read. */
  private void freeWhen(BooleanSupplier unused) {
    try {
      while (!unused.getAsBoolean()) {
        LockSupport.parkNanos(POLL.toNanos());
      }
    } catch (RuntimeException e) {
      return;
    }
    free.run();
  }
}
