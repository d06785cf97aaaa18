package dev.anneal.training.cuda;

import dev.anneal.training.tensor.Device;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.pytorch.Stream;
import org.bytedeco.pytorch.cuda.CUDAStream;
import org.bytedeco.pytorch.cuda.CUDAStreamGuard;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * A queue of work of a GPU, beside the one that a thread begins with. On the host, where work is
 * done when its call returns, all of it does nothing, so that code for both reads the same.
 */
public final class CudaStream implements AutoCloseable {
  private final Device device;

  /** {@code null} on the host. */
  private final CUDAStream stream;

  private CudaStream(Device device, CUDAStream stream) {
    this.device = device;
    this.stream = stream;
  }

  /** A stream of {@code device} from libtorch's pool. */
  public static CudaStream of(Device device) {
    if (!device.isGpu()) {
      return new CudaStream(device, null);
    }
    CUDAStream stream = torch_cuda.getStreamFromPool(false, (byte) device.cuda());
    // the handle outlives the scope it is made in: close() lets go of it
    stream.retainReference();
    return new CudaStream(device, stream);
  }

  /** Makes it the calling thread's current stream, and its device the current one, until closed. */
  public Use use() {
    return new Use(stream);
  }

  /** {@code event} is done when what the stream has been given so far is. */
  public void record(CudaEvent event) {
    try (Use on = use()) {
      event.record();
    }
  }

  /** The stream does nothing that it is given from now on before {@code event} is done. */
  public void waitFor(CudaEvent event) {
    try (Use on = use()) {
      event.await();
    }
  }

  /**
   * Gives the stream {@code work}, which begins when all is done that the current stream has been
   * given so far.
   *
   * @param begin is recorded in the current stream
   * @param end is done when the work is; also where that failed halfway, so that whoever uses its
   *     memory next can wait for what was enqueued
   */
  public void beside(CudaEvent begin, CudaEvent end, Runnable work) {
    begin.record();
    waitFor(begin);
    try (Use on = use()) {
      work.run();
    } finally {
      record(end);
    }
  }

  /** Returns when what the stream has been given so far is done. */
  public void synchronize() {
    if (stream != null) {
      stream.synchronize();
    }
  }

  /** CUDA's own name for it, which outlives this object; {@code null} on the host. */
  public CUstream_st handle() {
    return stream == null ? null : stream.stream();
  }

  /** Where it works. */
  public Device device() {
    return device;
  }

  @Override
  public void close() {
    if (stream != null) {
      stream.releaseReference();
    }
  }

  /** Restores the stream and the device that the thread had; to be closed by the same thread. */
  public static final class Use implements AutoCloseable {
    private final CUDAStreamGuard guard;

    private Use(CUDAStream stream) {
      if (stream == null) {
        guard = null;
        return;
      }
      try (Stream plain = stream.unwrap()) {
        guard = new CUDAStreamGuard(plain);
      }
    }

    @Override
    public void close() {
      if (guard != null) {
        guard.close();
      }
    }
  }
}
