package dev.anneal.training.peer;

/** Copies as another stream makes them, for tests that change some. */
public class ForwardingCopies implements CopyStream {
  private final CopyStream to;

  public ForwardingCopies(CopyStream to) {
    this.to = to;
  }

  @Override
  public void copy(long into, long from, long bytes) {
    to.copy(into, from, bytes);
  }

  @Override
  public void await(long word, int value) {
    to.await(word, value);
  }

  @Override
  public void write(long word, int value) {
    to.write(word, value);
  }
}
