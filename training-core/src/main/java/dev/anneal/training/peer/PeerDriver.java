package dev.anneal.training.peer;

import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.cuda.DeviceMemoryException;
import java.nio.ByteBuffer;
import java.util.List;

/** A rank's device as its peers and their memory are reached from it. */
public interface PeerDriver {
  /** Size of what {@link #export} gives. */
  int HANDLE_BYTES = 64;

  /** Who the rank is among those of all hosts. */
  PeerIdentity identity() throws NoPeerAccessException;

  /** Returns when all that the device was given is done. */
  void synchronize();

  /** What {@link #allocate} gives comes in whole multiples of this many bytes. */
  long granularity() throws NoPeerAccessException;

  /**
   * Memory of this device that other devices of this process read too.
   *
   * @param bytes a multiple of {@link #granularity}
   * @param readers numbers of the other devices
   * @return where it begins
   * @throws NoPeerAccessException if one of them cannot read it
   * @throws DeviceMemoryException if the device has not so much left
   */
  long allocate(long bytes, List<Integer> readers) throws NoPeerAccessException;

  /** Ends {@link #allocate} of as many bytes; the calling thread may be any. */
  void free(long address, long bytes);

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
