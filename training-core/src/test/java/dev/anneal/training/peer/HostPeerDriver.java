package dev.anneal.training.peer;

import dev.anneal.training.cuda.CudaStream;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Ranks that are threads of the tests' process and have their tensors in its memory. What a stream
 * would do later is done at once, and what it would wait for is waited for.
 */
public class HostPeerDriver implements PeerDriver {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final PeerIdentity identity;

  /** What is open or mapped now. */
  private final AtomicInteger held = new AtomicInteger();

  /** All that streams were given, e.g. {@code copy 32}, {@code await 1}, {@code write 1}. */
  private final List<String> calls = new ArrayList<>();

  /** A rank whose device has this number. */
  public HostPeerDriver(int rank) {
    this(new PeerIdentity("a host", "a process", rank, "device " + rank));
  }

  HostPeerDriver(PeerIdentity identity) {
    this.identity = identity;
  }

  /** How much is still open or mapped. */
  public int held() {
    return held.get();
  }

  List<String> calls() {
    return calls;
  }

  @Override
  public PeerIdentity identity() {
    return identity;
  }

  @Override
  public void synchronize() {}

  @Override
  public void reach(int ordinal) throws NoPeerAccessException {}

  @Override
  public Allocation allocation(long address) {
    // the pages around it, so that offsets are not all 0
    return new Allocation(address & ~4095L, 1L << 40);
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
        calls.add("copy " + bytes);
        Pointer.memcpy(new At(to), new At(from), bytes);
      }

      @Override
      public void await(long word, int value) {
        calls.add("await " + value);
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
        calls.add("write " + value);
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
