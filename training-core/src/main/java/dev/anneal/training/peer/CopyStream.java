package dev.anneal.training.peer;

/**
 * What a stream does for peers, each call behind the one before it and without waiting for it.
 * Addresses are raw, so that a call makes no object.
 */
public interface CopyStream {

  /** Copies bytes between this device, its peers and page-locked memory of the host. */
  void copy(long to, long from, long bytes);

  /**
   * What comes next waits until {@code word - value >= 0} in 32 bits, so that numbers may wrap.
   *
   * @param word address of a number that another stream or the host writes
   */
  void await(long word, int value);

  /** Writes when all before it is done and to be seen by every device of the host. */
  void write(long word, int value);
}
