package dev.anneal.spark.job;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.lease.OutputLease;
import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.util.Optional;

/** The output folder while it is this run's, and what happens when it is another's. */
final class LeasedFolder implements AutoCloseable {
  private final RunFolder folder;
  private final OutputLease lease;
  private String loss;
  private boolean closed;
  private Runnable whenLost = () -> {};

  /**
   * Takes the folder.
   *
   * @throws BadRequestException if another run is at work there, or it cannot be written
   */
  LeasedFolder(RunFolder folder, String runId) {
    this.folder = folder;
    try {
      this.lease = OutputLease.acquire(folder, runId, this::lost);
    } catch (IOException e) {
      throw new BadRequestException(
          "output.path %s cannot be written (%s): choose a folder that this user can write to."
              .formatted(folder.display(), e.getMessage()),
          e);
    }
  }

  /** This folder, in which nothing is changed any more once it is another run's. */
  RunFolder folder() {
    return folder.guardedBy(this::requireHeld);
  }

  private void lost(String sentence) {
    Runnable work;
    synchronized (this) {
      if (loss != null || closed) {
        return;
      }
      loss = sentence;
      work = whenLost;
    }
    work.run();
  }

  /** What to do when another run takes the folder, as happens to one that was suspended. */
  void whenLost(Runnable work) {
    synchronized (this) {
      whenLost = work;
      if (loss == null) {
        return;
      }
    }
    work.run();
  }

  /** Who has taken the folder, in one sentence. */
  synchronized Optional<String> loss() {
    return Optional.ofNullable(loss);
  }

  /** Looks whether the folder is still this run's. */
  boolean isHeld() throws IOException {
    if (isClosed()) {
      return false;
    }
    if (loss().isEmpty()) {
      lease.loss().ifPresent(this::lost);
    }
    return !isClosed() && loss().isEmpty();
  }

  /**
   * @throws IOException with {@link #loss} if the folder is another run's, or was given free
   */
  void requireHeld() throws IOException {
    if (!isHeld()) {
      throw new IOException(
          loss()
              .orElseGet(
                  () ->
                      "this run has ended and writes nothing more in %s"
                          .formatted(folder.display())));
    }
  }

  private synchronized boolean isClosed() {
    return closed;
  }

  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    lease.close();
  }
}
