package dev.anneal.training.weights.reader;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.io.TensorEntry;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.tensor.TensorScope;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.bytedeco.pytorch.Tensor;

/**
 * Reads rows of weights: several threads read ranges of the files into a few buffers, and the
 * calling thread hands these to the device and to the rows' sinks.
 */
final class SafetensorsStream {
  private static final long STOP_SECONDS = 30;

  /**
   * What reading may take of the host.
   *
   * @param readers threads, and so ranges read at a time
   * @param buffers that hold what was read until the device has taken it
   * @param bufferBytes size of each, unless a single row is larger
   */
  record Limits(int readers, int buffers, int bufferBytes) {
    /** 128 MB for each of a host's ranks. */
    static final Limits DEFAULT = new Limits(4, 8, 16 << 20);
  }

  /** Rows of one weight that one thread reads from their first to their last. */
  private record Range(WantedRows wanted, TensorEntry entry, long first, long count) {
    long rowBytes() {
      return wanted.columns() * entry.dtype().bytes();
    }

    long bytes() {
      return count * rowBytes();
    }
  }

  private final SafetensorsIndex index;
  private final Device device;
  private final Limits limits;
  private final BlockingQueue<Staging> free = new LinkedBlockingQueue<>();

  /** What the calling thread has to do with what was read. */
  private final BlockingQueue<Runnable> filled = new LinkedBlockingQueue<>();

  private final Queue<Range> ranges = new ConcurrentLinkedQueue<>();
  private long doneBytes;

  SafetensorsStream(SafetensorsIndex index, Device device, Limits limits) {
    this.index = index;
    this.device = device;
    this.limits = limits;
  }

  /**
   * Gives all rows to their sinks.
   *
   * @throws InvalidModelException naming the file and the tensor that cannot be read
   */
  void read(List<WantedRows> wanted, LoadProgress progress) throws IOException {
    List<Range> planned = plan(wanted);
    ranges.addAll(planned);
    long totalBytes = planned.stream().mapToLong(Range::bytes).sum();
    long largestRow = planned.stream().mapToLong(Range::rowBytes).max().orElse(1);
    int bufferBytes = Math.toIntExact(Math.max(limits.bufferBytes(), largestRow));
    List<Staging> buffers = new ArrayList<>();
    ExecutorService readers = Executors.newFixedThreadPool(limits.readers(), this::thread);
    try {
      for (int i = 0; i < limits.buffers(); i++) {
        buffers.add(new Staging(device, bufferBytes));
      }
      free.addAll(buffers);
      for (int i = 0; i < limits.readers(); i++) {
        readers.execute(() -> readRanges(bufferBytes));
      }
      while (doneBytes < totalBytes) {
        filled.take().run();
        progress.advanced(doneBytes, totalBytes);
      }
      awaitDevice();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("reading the weights was interrupted", e);
    } finally {
      if (stop(readers)) {
        buffers.forEach(Staging::close);
      }
    }
  }

  /** In the order of the files, each cut into ranges small enough for all threads to have some. */
  private List<Range> plan(List<WantedRows> wanted) throws IOException {
    index.open(wanted.stream().map(WantedRows::name).toList());
    List<Range> planned = new ArrayList<>();
    for (WantedRows rows : wanted) {
      TensorEntry entry = index.entry(rows.name());
      long rowBytes = rows.columns() * entry.dtype().bytes();
      long most = Math.max(1, (long) limits.buffers() * limits.bufferBytes() / rowBytes);
      for (long first = 0; first < rows.count(); first += most) {
        planned.add(new Range(rows, entry, first, Math.min(most, rows.count() - first)));
      }
    }
    planned.sort(
        Comparator.comparing((Range range) -> index.where(range.entry().name()))
            .thenComparingLong(range -> range.entry().begin())
            .thenComparingLong(range -> range.wanted().first() + range.first()));
    return planned;
  }

  private Thread thread(Runnable task) {
    Thread thread = new Thread(task, "weights-reader");
    thread.setDaemon(true);
    return thread;
  }

  private void readRanges(int bufferBytes) {
    try {
      for (Range range = ranges.poll(); range != null; range = ranges.poll()) {
        long rowsAtOnce = bufferBytes / range.rowBytes();
        for (long row = 0; row < range.count(); row += rowsAtOnce) {
          read(range, row, Math.min(rowsAtOnce, range.count() - row));
        }
      }
    } catch (InterruptedException e) {
      // the calling thread has given up
      Thread.currentThread().interrupt();
    }
  }

  private void read(Range range, long row, long rows) throws InterruptedException {
    Staging staging = free.take();
    String name = range.wanted().name();
    try {
      ByteBuffer into = staging.writable(Math.toIntExact(rows * range.rowBytes()));
      long firstRow = range.wanted().first() + range.first() + row;
      index.read(name, firstRow * range.wanted().columns(), into);
      filled.add(() -> handOver(staging, range, row, rows));
    } catch (IOException e) {
      String message =
          "%s: tensor %s cannot be read: %s"
              .formatted(index.where(name), name, NativeErrors.firstLine(e));
      fail(new InvalidModelException(message, e));
    } catch (RuntimeException e) {
      fail(e);
    } catch (Error e) {
      // the calling thread waits for every range
      fail(new IllegalStateException(e));
    }
  }

  private void fail(RuntimeException failure) {
    filled.add(
        () -> {
          throw failure;
        });
  }

  private void handOver(Staging staging, Range range, long row, long rows) {
    long length = rows * range.rowBytes();
    WantedRows wanted = range.wanted();
    try (TensorScope scope = new TensorScope()) {
      Tensor values =
          staging.onDevice(
              SafetensorsWeights.scalarType(range.entry().dtype()),
              rows,
              wanted.columns(),
              Math.toIntExact(length));
      wanted.sink().accept(range.first() + row, values);
    }
    free.add(staging);
    doneBytes += length;
  }

  /** Sinks may write to the host's memory too, which other streams read. */
  private void awaitDevice() {
    try (CudaEvent done = new CudaEvent(device)) {
      done.record();
      done.synchronize();
    }
  }

  /** Whether no thread is at work any more. */
  private static boolean stop(ExecutorService readers) {
    readers.shutdownNow();
    boolean interrupted = Thread.interrupted();
    try {
      return readers.awaitTermination(STOP_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      interrupted = true;
      return false;
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
