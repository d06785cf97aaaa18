package dev.anneal.training.cuda;

/**
 * How much of a rank's GPU is taken from the driver beside libtorch, whose statistics ({@link
 * GpuMemory}) do not know of it. Any thread may call.
 */
public final class MappedMemory {
  private long bytes;
  private long peak;

  /** {@code more} bytes are taken. */
  public synchronized void took(long more) {
    bytes += more;
    peak = Math.max(peak, bytes);
  }

  /** {@code fewer} bytes are given back. */
  public synchronized void gave(long fewer) {
    bytes -= fewer;
  }

  /** What is taken now. */
  public synchronized long bytes() {
    return bytes;
  }

  /** The most that was taken at once. */
  public synchronized long peakBytes() {
    return peak;
  }
}
