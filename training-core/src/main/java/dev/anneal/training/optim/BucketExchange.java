package dev.anneal.training.optim;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.tensor.Device;

/**
 * What the ranks exchange of buckets, one after the other: at once on the host, on a GPU beside the
 * computation.
 */
final class BucketExchange implements AutoCloseable {
  private final CudaStream stream;
  private final CudaEvent written;

  BucketExchange(Device device) {
    stream = CudaStream.of(device);
    written = new CudaEvent(device);
  }

  /**
   * Does {@code exchange} with what the current stream has written so far.
   *
   * @param end is done when the exchange is
   */
  void beside(CudaEvent end, Runnable exchange) {
    stream.beside(written, end, exchange);
  }

  @Override
  public void close() {
    written.close();
    stream.close();
  }
}
