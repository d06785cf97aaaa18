package dev.anneal.training.io;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Does many things at a time that wait for a disk or a store more than they compute. */
public final class Concurrently {

  private Concurrently() {}

  /** What is done with an item. */
  @FunctionalInterface
  public interface Action<T> {
    void accept(T item) throws IOException;
  }

  /**
   * Does {@code action} with all items, {@code atOnce} of them at a time, and returns when no
   * thread is at it any more.
   *
   * @throws IOException of the first item, in their order, that one was thrown for; the same holds
   *     for other exceptions. Items that had not begun by then are left out.
   */
  public static <T> void forEach(Collection<T> items, int atOnce, Action<T> action)
      throws IOException {
    if (items.size() <= 1) {
      for (T item : items) {
        action.accept(item);
      }
      return;
    }
    ExecutorService threads =
        Executors.newFixedThreadPool(Math.min(atOnce, items.size()), Concurrently::daemon);
    try {
      List<Future<?>> results = new ArrayList<>();
      for (T item : items) {
        results.add(
            threads.submit(
                () -> {
                  action.accept(item);
                  return null;
                }));
      }
      for (Future<?> result : results) {
        result.get();
      }
    } catch (ExecutionException e) {
      throw asThrown(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while files were being read", e);
    } finally {
      end(threads);
    }
  }

  private static IOException asThrown(Throwable cause) {
    if (cause instanceof RuntimeException e) {
      throw e;
    }
    if (cause instanceof Error e) {
      throw e;
    }
    return (IOException) cause;
  }

  /** The memory that a thread writes to may be gone once the caller goes on. */
  private static void end(ExecutorService threads) {
    threads.shutdownNow();
    Uninterrupted.until(() -> threads.awaitTermination(1, TimeUnit.MINUTES));
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "reader");
    thread.setDaemon(true);
    return thread;
  }
}
