package dev.anneal.spark.lease;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * The right of one run to write below its {@code output.path}. Nobody needs to clean up after a run
 * that was killed, and no clocks are compared.
 */
public sealed interface OutputLease extends AutoCloseable permits LocalLease, GenerationLease {

  /**
   * Takes the folder for a run. On a local file system that takes no time; elsewhere a second, or
   * half a minute where a run on another host may hold it.
   *
   * @param onLoss told once, with a sentence, if another run has taken the folder over, as happens
   *     to one that was suspended: this one must not write any more. Nobody can take over a local
   *     folder.
   * @throws BadRequestException if another run is at work there
   * @throws IOException if the folder cannot be read or written
   */
  static OutputLease acquire(RunFolder folder, String runId, Consumer<String> onLoss)
      throws IOException {
    LeaseRecord own = LeaseRecord.of(runId, ProcessIdentity.current());
    return folder.isLocal()
        ? LocalLease.acquire(folder, own)
        : GenerationLease.acquire(folder, own, GenerationLease.Timing.USUAL, onLoss);
  }

  /**
   * Looks who has the folder, as one that is about to write should.
   *
   * @return a sentence if it is no longer this run's
   */
  Optional<String> loss() throws IOException;

  /** Looks whether the folder is still this run's. */
  default boolean isHeld() throws IOException {
    return loss().isEmpty();
  }

  /** Gives the folder free. */
  @Override
  void close();
}
