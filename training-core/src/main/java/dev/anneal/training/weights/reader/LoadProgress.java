package dev.anneal.training.weights.reader;

/** Hears how much of what is to be read has been read. */
public interface LoadProgress {
  /** For callers that do not care. */
  LoadProgress IGNORED = (doneBytes, totalBytes) -> {};

  /** Called by the thread that loads after every piece; what it throws ends the loading. */
  void advanced(long doneBytes, long totalBytes);
}
