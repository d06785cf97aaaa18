package dev.anneal.bench;

import dev.anneal.training.checkpoint.CheckpointPart;
import dev.anneal.training.checkpoint.CheckpointSink;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.io.OutputFolder;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;

/** Counts the checkpoints that ranks of this process write into a folder. */
final class LocalCheckpoints implements CheckpointSink {
  private final Path folder;
  private final AtomicInteger complete = new AtomicInteger();
  private final AtomicInteger failed = new AtomicInteger();

  LocalCheckpoints(Path folder) {
    this.folder = folder;
  }

  /** Checkpoints whose first rank's part is there. */
  int complete() {
    return complete.get();
  }

  /** Parts that could not be written. */
  int failed() {
    return failed.get();
  }

  @Override
  public OutputFolder folder(long step) {
    return new LocalOutputFolder(folder.resolve("step-" + step));
  }

  @Override
  public void written(CheckpointPart part) {
    if (part.rank() == 0) {
      complete.incrementAndGet();
    }
  }

  @Override
  public void failed(long step, int rank, String reason) {
    System.err.printf("no checkpoint of step %d by rank %d: %s%n", step, rank, reason);
    failed.incrementAndGet();
  }
}
