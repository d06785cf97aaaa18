package dev.anneal.training.peer;

import dev.anneal.training.cuda.CudaStream;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Ranks that are threads of the tests' process and have their tensors in its memory. What a stream
 * would do later is done at once, and what it would wait for is waited for.
 */
public class HostPeerDriver implements PeerDriver {
  /** Much less than a GPU's, for small tests. */
  static final long GRANULARITY = 4096;

  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private record Allocation(Pointer memory, long bytes) {}

  private final PeerIdentity identity;

  /** What {@link #allocate} has given, by address. */
  private final Map<Long, Allocation> allocated = new ConcurrentHashMap<>();

  /** What is open, mapped or allocated now. */
  private final AtomicInteger held = new AtomicInteger();

  /** A rank whose device has this number. */
  public HostPeerDriver(int rank) {
    this(new PeerIdentity("a host", "a process", rank, "device " + rank));
  }

  HostPeerDriver(PeerIdentity identity) {
    this.identity = identity;
  }

  /** How much is still open, mapped or allocated. */
  public int held() {
    return held.get();
  }

  /** Whether anything of {@link #allocate} is not freed. */
  boolean isAllocated() {
    return !allocated.isEmpty();
  }

  @Override
  public PeerIdentity identity() {
    return identity;
  }

  @Override
  public void synchronize() {}

  @Override
  public long granularity() throws NoPeerAccessException {
    return GRANULARITY;
  }

  @Override
  public long allocate(long bytes, List<Integer> readers) throws NoPeerAccessException {
    Pointer memory = Pointer.malloc(bytes + GRANULARITY);
    long address = (memory.address() + GRANULARITY - 1) / GRANULARITY * GRANULARITY;
    allocated.put(address, new Allocation(memory, bytes));
    held.incrementAndGet();
    return address;
  }

  @Override
  public void free(long address, long bytes) {
    Allocation allocation = allocated.remove(address);
    if (allocation == null || allocation.bytes() != bytes) {
      throw new IllegalStateException("%s bytes were never allocated there".formatted(bytes));
    }
    Pointer.free(allocation.memory());
    held.decrementAndGet();
  }

  @Override
  public long base(long address) {
    // of the page, so that offsets are not all 0
    return address & ~4095L;
  }

  @Override
  public byte[] export(long base) {
    return ByteBuffer.allocate(HANDLE_BYTES).putLong(base).array();
  }

  @Override
  public long open(byte[] handle) throws NoPeerAccessException {
    held.incrementAndGet();
    return ByteBuffer.wrap(handle).getLong();
  }

  @Override
  public void close(long opened) {
    held.decrementAndGet();
  }

  @Override
  public long map(ByteBuffer memory) throws NoPeerAccessException {
    held.incrementAndGet();
    return new BytePointer(memory).address();
  }

  @Override
  public void unmap(ByteBuffer memory) {
    held.decrementAndGet();
  }

  @Override
  public CopyStream on(CudaStream stream) {
    return new CopyStream() {
      @Override
      public void copy(long to, long from, long bytes) {
        Pointer.memcpy(new At(to), new At(from), bytes);
      }

      @Override
      public void await(long word, int value) {
        long start = System.nanoTime();
        while (new IntPointer(new At(word)).get() - value < 0) {
          if (System.nanoTime() - start > PATIENCE.toNanos()) {
            throw new IllegalStateException("nobody has written " + value);
          }
          VarHandle.fullFence();
          Thread.onSpinWait();
        }
      }

      @Override
      public void write(long word, int value) {
        VarHandle.fullFence();
        new IntPointer(new At(word)).put(value);
      }
    };
  }

  /** A raw address. */
  private static final class At extends Pointer {
    At(long address) {
      super((Pointer) null);
      this.address = address;
    }
  }
}
