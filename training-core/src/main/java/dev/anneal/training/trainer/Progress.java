package dev.anneal.training.trainer;

import dev.anneal.training.weights.reader.LoadProgress;
import java.util.concurrent.TimeUnit;

/** Tells a listener of the progress of a phase, not more often than it is worth. */
final class Progress implements LoadProgress {
  static final String LOADING_WEIGHTS = "loading weights";
  static final String FACTORING_WEIGHTS = "factoring weights";
  static final String PINNING_MEMORY = "pinning host memory";

  private static final long NANOS_BETWEEN = TimeUnit.SECONDS.toNanos(1);

  private final String phase;
  private final PhaseListener listener;
  private long lastNanos = System.nanoTime();

  Progress(String phase, PhaseListener listener) {
    this.phase = phase;
    this.listener = listener;
  }

  /**
   * @throws TrainingCancelled if the listener asks to stop
   */
  @Override
  public void advanced(long doneBytes, long totalBytes) {
    if (listener.cancelled()) {
      throw new TrainingCancelled(0);
    }
    long now = System.nanoTime();
    if (doneBytes == totalBytes || now - lastNanos >= NANOS_BETWEEN) {
      lastNanos = now;
      listener.onProgress(phase, doneBytes, totalBytes);
    }
  }
}
