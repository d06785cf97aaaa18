package dev.anneal.training.optim;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.tensor.Device;

/** Exchanges of buckets between the ranks: at once on the host, on a GPU beside the computation. */
final class BucketExchange implements AutoCloseable {
  private final CudaStream stream;
  private final CudaEvent written;
  private final CudaEvent[] done;
  private final boolean[] underWay;

  BucketExchange(Device device, int buckets) {
    stream = CudaStream.of(device);
    written = new CudaEvent(device);
    done = new CudaEvent[buckets];
    underWay = new boolean[buckets];
    for (int i = 0; i < buckets; i++) {
      done[i] = new CudaEvent(device);
    }
  }

  /** Exchanges a bucket with what the current stream has written so far. */
  void beside(int bucket, Runnable exchange) {
    beside(done[bucket], exchange);
    underWay[bucket] = true;
  }

  /** The same, for who waits by himself: {@code end} is done when the exchange is. */
  void beside(CudaEvent end, Runnable exchange) {
    written.record();
    stream.waitFor(written);
    try (CudaStream.Use use = stream.use()) {
      exchange.run();
      end.record();
    }
  }

  /** Makes the current stream wait for the last exchange of {@code bucket}. */
  void await(int bucket) {
    if (underWay[bucket]) {
      done[bucket].await();
      underWay[bucket] = false;
    }
  }

  /** Makes the current stream wait for every exchange. */
  void awaitAll() {
    for (int bucket = 0; bucket < done.length; bucket++) {
      await(bucket);
    }
  }

  /** {@link #awaitAll} for another stream than the one that asks for every bucket itself. */
  void awaitAllBeside() {
    for (int bucket = 0; bucket < done.length; bucket++) {
      if (underWay[bucket]) {
        done[bucket].await();
      }
    }
  }

  @Override
  public void close() {
    for (CudaEvent event : done) {
      event.close();
    }
    written.close();
    stream.close();
  }
}
