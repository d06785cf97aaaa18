package dev.anneal.training.peer;

import java.util.ArrayList;
import java.util.List;

/** Allocations of other processes that this rank has opened. */
final class OpenedMemory implements AutoCloseable {
  private final PeerDriver driver;
  private final List<Long> bases = new ArrayList<>();

  OpenedMemory(PeerDriver driver) {
    this.driver = driver;
  }

  /** Where each of {@code handles} begins. */
  long[] open(List<byte[]> handles) throws NoPeerAccessException {
    long[] found = new long[handles.size()];
    for (int i = 0; i < found.length; i++) {
      found[i] = driver.open(handles.get(i));
      bases.add(found[i]);
    }
    return found;
  }

  @Override
  public void close() {
    bases.forEach(driver::close);
    bases.clear();
  }
}
