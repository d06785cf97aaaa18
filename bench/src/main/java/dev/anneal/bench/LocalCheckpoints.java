package dev.anneal.bench;

import dev.anneal.training.checkpoint.CheckpointPart;
import dev.anneal.training.checkpoint.CheckpointSink;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.io.OutputFolder;
import dev.anneal.training.io.WrittenFile;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** Measures the checkpoints that ranks of this process write into a folder. */
final class LocalCheckpoints implements CheckpointSink {
  private final Path folder;
  private final AtomicInteger complete = new AtomicInteger();
  private final AtomicInteger failed = new AtomicInteger();
  private final AtomicLong bytes = new AtomicLong();
  private final AtomicLong nanos = new AtomicLong();
  private final Map<Long, Long> begun = new ConcurrentHashMap<>();

  LocalCheckpoints(Path folder) {
    this.folder = folder;
  }

  /** Checkpoints whose first rank's part is there. */
  int complete() {
    return complete.get();
  }

  /** What all of them hold. */
  long bytes() {
    return bytes.get();
  }

  /** How long it took to write the first rank's parts, from the copy in host memory to the last. */
  double seconds() {
    return nanos.get() / 1e9;
  }

  /** Parts that could not be written. */
  int failed() {
    return failed.get();
  }

  @Override
  public OutputFolder folder(long step) {
    begun.putIfAbsent(step, System.nanoTime());
    return new LocalOutputFolder(folder.resolve("step-" + step));
  }

  @Override
  public void written(CheckpointPart part) {
    bytes.addAndGet(part.files().stream().mapToLong(WrittenFile::bytes).sum());
    if (part.rank() == 0) {
      complete.incrementAndGet();
      nanos.addAndGet(System.nanoTime() - begun.get(part.step()));
    }
  }

  @Override
  public void failed(long step, int rank, String reason) {
    System.err.printf("no checkpoint of step %s by rank %s: %s%n", step, rank, reason);
    failed.incrementAndGet();
  }

  @Override
  public void leftOut(long step) {
    System.err.printf("no checkpoint of step %s: the one before is still being written%n", step);
  }
}
