package dev.anneal.training.cuda;

import dev.anneal.training.io.Uninterrupted;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletionService;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.LongConsumer;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Large blocks of page-locked memory of exactly the bytes that are asked for, which live until they
 * are closed. They are libtorch's ordinary memory, touched for the first time by several threads
 * and then registered with CUDA: the driver's own allocation touches them by one. For the host as
 * device they stay ordinary memory.
 *
 * <p>libtorch copies to and from them as it does with {@link PinnedMemory}, but does not know who
 * still does when they are closed: see {@link #close}.
 */
public final class RegisteredMemory implements AutoCloseable {
  private static final long PAGE_BYTES = 4096;

  /** What a thread touches at a time. */
  private static final long STRIPE_BYTES = 256L << 20;

  private static final int MAX_THREADS = 16;

  /** How long {@link #close} waits for the device. */
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  /** One allocation; the tensors belong to no scope. */
  private static final class Block {
    /** What libtorch has given, a page more than is needed. */
    final Tensor allocation;

    /** {@code [bytes]} uint8 in it, from the beginning of a page on. */
    final Tensor bytes;

    final BytePointer start;
    final AtomicLong untouched;
    volatile boolean locked;

    /** Takes addresses, but not yet any memory. */
    Block(long size) {
      try (TensorScope scope = new TensorScope()) {
        Tensor room = Tensors.empty(ScalarType.Byte, size == 0 ? 0 : wholePages(size) + PAGE_BYTES);
        long first = Math.floorMod(-Tensors.bytes(room, 0).address(), PAGE_BYTES);
        bytes = TensorScope.own(room.narrow(0, size == 0 ? 0 : first, size));
        allocation = TensorScope.own(room);
        start = Tensors.bytes(bytes, 0);
        untouched = new AtomicLong(size);
      }
    }

    long size() {
      return bytes.nbytes();
    }
  }

  private final Device device;
  private final PageLock lock;
  private final long totalBytes;
  private final List<Block> blocks = new ArrayList<>();
  private boolean closed;

  private RegisteredMemory(Device device, PageLock lock, long totalBytes) {
    this.device = device;
    this.lock = lock;
    this.totalBytes = totalBytes;
  }

  /**
   * {@code count} blocks of {@code bytes} zeros each.
   *
   * @param device the GPU that it is for, or the host for ordinary memory
   * @param threads that touch it: see {@link #threads}
   * @param progress hears from the calling thread how many bytes are there; what it throws ends it
   * @throws PinnedMemoryException if the host has not enough; then nothing is kept
   */
  public static RegisteredMemory allocate(
      Device device, int count, long bytes, int threads, LongConsumer progress) {
    return allocate(device, PageLock.of(device), count, bytes, threads, progress);
  }

  static RegisteredMemory allocate(
      Device device, PageLock lock, int count, long bytes, int threads, LongConsumer progress) {
    RegisteredMemory memory = new RegisteredMemory(device, lock, count * bytes);
    try {
      memory.allocate(count, bytes);
      memory.touch(threads, progress);
      return memory;
    } catch (RuntimeException | Error e) {
      // no GPU has been given any of it
      memory.free().ifPresent(cause -> e.addSuppressed(new IllegalStateException(cause)));
      throw e;
    }
  }

  /**
   * How many threads a rank should touch memory with.
   *
   * @param ranks that share the host and do so too
   */
  public static int threads(int ranks) {
    int share = Runtime.getRuntime().availableProcessors() / ranks;
    return Math.max(1, Math.min(share, MAX_THREADS));
  }

  private void allocate(int count, long bytes) {
    try {
      for (int i = 0; i < count; i++) {
        blocks.add(new Block(bytes));
      }
    } catch (RuntimeException e) {
      throw exhausted(NativeErrors.firstLine(e), e);
    }
  }

  private PinnedMemoryException exhausted(String cause, Throwable e) {
    return PinnedMemory.exhausted(device, totalBytes, cause, e);
  }

  /** Touches and locks all blocks, the first ones first. */
  private void touch(int threads, LongConsumer progress) {
    if (totalBytes == 0) {
      return;
    }
    ExecutorService pool = Executors.newFixedThreadPool(threads, RegisteredMemory::daemon);
    try {
      CompletionService<Long> stripes = new ExecutorCompletionService<>(pool);
      int submitted = 0;
      for (Block block : blocks) {
        for (long from = 0; from < block.size(); from += STRIPE_BYTES) {
          long first = from;
          long length = Math.min(STRIPE_BYTES, block.size() - from);
          stripes.submit(() -> touch(block, first, length));
          submitted++;
        }
      }
      long done = 0;
      for (int i = 0; i < submitted; i++) {
        done += stripes.take().get();
        progress.accept(done);
      }
    } catch (ExecutionException e) {
      throw e.getCause() instanceof RuntimeException cause
          ? cause
          : new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while memory of the host was being pinned", e);
    } finally {
      end(pool);
    }
  }

  /** The thread that touches the last of a block locks it, while others touch the next. */
  private long touch(Block block, long first, long length) {
    Pointer.memset(block.start.getPointer(first), 0, length);
    if (block.untouched.addAndGet(-length) == 0) {
      Optional<String> cause = lock.lock(block.start, wholePages(block.size()));
      if (cause.isPresent()) {
        long locked = blocks.stream().filter(b -> b.locked).mapToLong(Block::size).sum();
        throw exhausted(
            String.format(Locale.ROOT, "%s after %.2f GB", cause.get(), locked / 1e9), null);
      }
      block.locked = true;
    }
    return length;
  }

  private static long wholePages(long bytes) {
    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "pinning");
    thread.setDaemon(true);
    return thread;
  }

  /** The memory that a thread writes to is gone once the caller goes on after a failure. */
  private static void end(ExecutorService pool) {
    pool.shutdownNow();
    Uninterrupted.until(() -> pool.awaitTermination(1, TimeUnit.MINUTES));
  }

  /** Block {@code index}: {@code [bytes]} uint8 on the host, the same tensor each time. */
  public Tensor block(int index) {
    return blocks.get(index).bytes;
  }

  /** Of all blocks. */
  public long bytes() {
    return totalBytes;
  }

  /**
   * Frees the memory once the device is done with it: all work that uses it is in the calling
   * thread's current stream, or comes before what that stream is given next. How long that takes:
   * see {@link LateRelease}.
   *
   * @throws IllegalStateException if the memory is not free when it returns; says why
   */
  @Override
  public void close() {
    if (totalBytes == 0) {
      closeUnused();
    } else if (!closed) {
      close(LateRelease.currentWork(device), PATIENCE);
    }
  }

  /** Frees the memory, which no device uses any more: the caller has waited for what did. */
  public void closeUnused() {
    close(() -> true, Duration.ZERO);
  }

  /**
   * Likewise.
   *
   * @param unused whether the device is done; throws where nobody can know
   */
  void close(BooleanSupplier unused, Duration patience) {
    if (!closed) {
      closed = true;
      String amount = String.format(Locale.ROOT, "%.2f GB of pinned memory", totalBytes / 1e9);
      new LateRelease(device, amount, this::free).when(unused, patience);
    }
  }

  /** What cannot be unlocked is kept, and the cause told. */
  private Optional<String> free() {
    Optional<String> failure = Optional.empty();
    for (Block block : blocks) {
      Optional<String> cause = block.locked ? lock.unlock(block.start) : Optional.empty();
      if (cause.isEmpty()) {
        block.bytes.close();
        block.allocation.close();
      } else if (failure.isEmpty()) {
        failure = cause;
      }
    }
    blocks.clear();
    return failure;
  }
}
