package dev.anneal.training.io;

/** Waits that an interrupt does not cut short; the thread is interrupted when they are over. */
public final class Uninterrupted {
  private Uninterrupted() {}

  /** What is waited for. */
  @FunctionalInterface
  public interface Wait {
    /** Whether it is there, after some time. */
    boolean isOver() throws InterruptedException;
  }

  /** Waits as often as it takes. */
  public static void until(Wait wait) {
    boolean interrupted = Thread.interrupted();
    boolean over = false;
    while (!over) {
      try {
        over = wait.isOver();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
