package dev.anneal.training.tensor;

import org.bytedeco.javacpp.Pointer;

/**
 * A place in memory, of a device or of the host, as a pointer: of no memory of its own, and to be
 * set again for every call that it is handed to.
 */
public final class Address extends Pointer {
  public Address(long address) {
    super((Pointer) null);
    this.address = address;
  }

  /** Of nothing yet. */
  public Address() {
    this(0);
  }

  /** The same pointer to another place. */
  public Address to(long address) {
    this.address = address;
    return this;
  }
}
