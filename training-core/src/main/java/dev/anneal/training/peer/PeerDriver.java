package dev.anneal.training.peer;

import dev.anneal.training.cuda.CudaStream;
import java.nio.ByteBuffer;

/** A rank's device as its peers and their memory are reached from it. */
public interface PeerDriver {
  /** Size of what {@link #export} gives. */
  int HANDLE_BYTES = 64;

  /** Who the rank is among those of all hosts. */
  PeerIdentity identity() throws NoPeerAccessException;

  /** Returns when all that the device was given is done. */
  void synchronize();

  /** Makes the memory of another device of this process readable from this one. */
  void reach(int ordinal) throws NoPeerAccessException;

  /** Where the allocation begins that {@code address} lies in. */
  long base(long address) throws NoPeerAccessException;

  /** What another process opens an allocation of this one by, {@link #HANDLE_BYTES} bytes. */
  byte[] export(long base) throws NoPeerAccessException;

  /** Where an allocation of another process begins in this one. */
  long open(byte[] handle) throws NoPeerAccessException;

  /** Lets go of what was opened; the calling thread may be any. */
  void close(long opened);

  /** Lets the device read and write memory of the host; gives the device's address of it. */
  long map(ByteBuffer memory) throws NoPeerAccessException;

  /** Ends {@link #map}; the calling thread may be any. */
  void unmap(ByteBuffer memory);

  /** What {@code stream} does for peers. */
  CopyStream on(CudaStream stream);
}
