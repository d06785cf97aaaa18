package dev.anneal.training.tensor;

/** Counts in bytes what a piece of work would hold as it allocates; nothing is allocated. */
public final class MemoryTrace {
  private long held;
  private long most;

  /** Memory that stays until the end of the work. */
  public MemoryTrace hold(long bytes) {
    pass(bytes);
    held += bytes;
    return this;
  }

  /** Memory that is free again before the next is asked for. */
  public MemoryTrace pass(long bytes) {
    most = Math.max(most, held + bytes);
    return this;
  }

  /** What is held at the end. */
  public long held() {
    return held;
  }

  /** The most that was held at once. */
  public long most() {
    return most;
  }
}
