package dev.anneal.spark.job;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.storage.OutputLease;
import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.util.Optional;

/** The output folder while it is this run's, and what happens when it is another's. */
final class HeldFolder implements AutoCloseable {
  private final OutputLease lease;
  private String loss;
  private Runnable whenLost = () -> {};

  /**
   * Takes the folder.
   *
   * @throws BadRequestException if another run is at work there, or it cannot be written
   */
  HeldFolder(RunFolder folder, String runId) {
    try {
      this.lease = OutputLease.acquire(folder, runId, this::lost);
    } catch (IOException e) {
      throw new BadRequestException(
          "output.path %s cannot be written (%s): choose a folder that this user can write to."
              .formatted(folder.display(), e.getMessage()),
          e);
    }
  }

  private synchronized void lost(String sentence) {
    loss = sentence;
    whenLost.run();
  }

  /** What to do when another run takes the folder, as happens to one that was suspended. */
  synchronized void whenLost(Runnable work) {
    whenLost = work;
    if (loss != null) {
      work.run();
    }
  }

  /** Who has taken the folder, in one sentence. */
  synchronized Optional<String> loss() {
    return Optional.ofNullable(loss);
  }

  /** Looks whether the folder is still this run's. */
  boolean isHeld() throws IOException {
    return loss().isEmpty() && lease.isHeld();
  }

  @Override
  public void close() {
    lease.close();
  }
}
