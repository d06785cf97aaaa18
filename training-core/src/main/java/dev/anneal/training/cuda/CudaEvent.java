package dev.anneal.training.cuda;

import dev.anneal.training.tensor.Device;
import org.bytedeco.pytorch.cuda.CUDAEvent;
import org.bytedeco.pytorch.cuda.CUDAStream;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * A mark in a stream that other streams and the host can wait for; recording it again moves it. One
 * that was never recorded is done. On the host every mark is done at once.
 */
public final class CudaEvent implements AutoCloseable {

  /** Whether the time at which the mark is reached is kept. */
  public enum Timing {
    OFF,
    ON
  }

  private static final int NO_FLAGS = 0;

  private final Device device;

  /** {@code null} on the host. */
  private final CUDAEvent event;

  private long hostNanos;

  /** A mark without a time. */
  public CudaEvent(Device device) {
    this(device, Timing.OFF);
  }

  public CudaEvent(Device device, Timing timing) {
    this.device = device;
    if (device.isGpu()) {
      event = timing == Timing.ON ? new CUDAEvent(NO_FLAGS) : new CUDAEvent();
      // the handle outlives the scope it is made in: close() lets go of it
      event.retainReference();
    } else {
      event = null;
    }
  }

  /** Is done when what the device's current stream has been given so far is. */
  public void record() {
    if (event == null) {
      hostNanos = System.nanoTime();
      return;
    }
    try (CUDAStream current = current()) {
      event.record(current);
    }
  }

  /** The device's current stream does nothing that it is given from now on before this is done. */
  public void await() {
    if (event != null) {
      try (CUDAStream current = current()) {
        event.block(current);
      }
    }
  }

  /** Returns when it is done. */
  public void synchronize() {
    if (event != null) {
      event.synchronize();
    }
  }

  /** Whether it is done, without waiting. */
  public boolean isDone() {
    return event == null || event.query();
  }

  /**
   * Milliseconds from {@code start} to here; both were made with {@link Timing#ON} and are done.
   */
  public double millisSince(CudaEvent start) {
    return event == null ? (hostNanos - start.hostNanos) / 1e6 : start.event.elapsed_time(event);
  }

  private CUDAStream current() {
    return torch_cuda.getCurrentCUDAStream((byte) device.cuda());
  }

  @Override
  public void close() {
    if (event != null) {
      event.releaseReference();
    }
  }
}
