package dev.anneal.training.checkpoint;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.cuda.RegisteredMemory;
import dev.anneal.training.io.SafetensorsWriter;
import dev.anneal.training.optim.AdamW;
import dev.anneal.training.optim.BucketParts;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A rank's tensors as they were after a step, in host memory that every snapshot uses again. A GPU
 * copies them beside the next step, whose update waits for that.
 */
final class Snapshot implements AutoCloseable {

  /** Whether the values that models compute with are copied too. */
  enum Values {
    MASTER,
    MASTER_AND_COMPUTE
  }

  /**
   * The place of a tensor in the copy; whoever writes it does not touch the tensor, which may be
   * gone by then.
   */
  private record Region(Tensor source, long offset, long bytes) {}

  /** What is written at a time. */
  private static final long CHUNK_BYTES = 8 << 20;

  private final Parameters parameters;
  private final Values values;
  private final List<Region> regions;

  /** Where the values that models compute with begin in the copy. */
  private final long computeOffset;

  private final RegisteredMemory host;
  private final CudaStream stream;
  private final CudaEvent updated;
  private final CudaEvent copied;

  /**
   * Allocates the memory, which lives until {@link #close}.
   *
   * @param device where the parameters are
   * @param ranks that take snapshots at the same time
   */
  Snapshot(Parameters parameters, AdamW optimizer, Device device, int ranks, Values values) {
    this.parameters = parameters;
    this.values = values;
    regions = new ArrayList<>();
    long offset = 0;
    for (Tensor source : List.of(parameters.master(), optimizer.expAvg(), optimizer.expAvgSq())) {
      regions.add(new Region(source, offset, source.nbytes()));
      offset += source.nbytes();
    }
    computeOffset = offset;
    if (values == Values.MASTER_AND_COMPUTE) {
      long bytes = parameters.computeNumel() * parameters.computeDtype().bytes();
      if (parameters.computeIsTogether()) {
        regions.add(new Region(parameters.compute(), offset, bytes));
      }
      offset += bytes;
    }
    int threads = RegisteredMemory.threads(ranks);
    host = RegisteredMemory.allocate(device, 1, offset, threads, done -> {});
    stream = CudaStream.of(device);
    updated = new CudaEvent(device);
    copied = new CudaEvent(device);
  }

  /**
   * Copies what the current stream's work so far leaves in the tensors. Every rank calls it: where
   * the values that models compute with are not together, all bring them together for those that
   * copy them.
   */
  void take() {
    try {
      enqueue();
    } finally {
      // also where a gather failed halfway: close() waits for the copies that are on their way
      try (CudaStream.Use use = stream.use()) {
        parameters.awaitComputeBeside();
        copied.record();
      }
    }
  }

  private void enqueue() {
    if (!parameters.computeIsTogether()) {
      parameters.forEachCompute(this::copyBucket);
    }
    updated.record();
    stream.waitFor(updated);
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad();
        CudaStream.Use use = stream.use()) {
      parameters.awaitComputeBeside();
      for (Region region : regions) {
        copy(region.source().view(ScalarType.Byte), region.offset());
      }
    }
  }

  private void copyBucket(int bucket, Tensor whole) {
    if (values == Values.MASTER_AND_COMPUTE) {
      try (TensorScope scope = new TensorScope();
          NoGrad noGrad = new NoGrad()) {
        BucketParts parts = parameters.layout().parts();
        long first = parts.worldSize() * parts.offset(bucket);
        copy(whole.view(ScalarType.Byte), computeOffset + first * whole.element_size());
      }
    }
  }

  private void copy(Tensor bytes, long offset) {
    host.block(0).narrow(0, offset, bytes.numel()).copy_(bytes, true);
  }

  /** Makes the current stream wait until the tensors may change. */
  void awaitCopied() {
    copied.await();
  }

  /** Returns when the copy is there; any thread may ask. */
  void synchronize() {
    copied.synchronize();
  }

  /** Writes the copy of the {@code index}-th of master and moments. */
  void write(int index, SafetensorsWriter.Sink sink) throws IOException {
    Region region = regions.get(index);
    write(region.offset(), region.bytes(), sink);
  }

  /** Writes the copy of the compute values of {@code name}, a parameter of {@code bytes} bytes. */
  void writeCompute(String name, long bytes, SafetensorsWriter.Sink sink) throws IOException {
    long first = parameters.layout().offset(name) * parameters.computeDtype().bytes();
    write(computeOffset + first, bytes, sink);
  }

  /** The copy of the compute values of {@code name} in their shape, in the current tensor scope. */
  Tensor compute(String name) {
    long[] shape = parameters.layout().shape(name);
    int element = parameters.computeDtype().bytes();
    long numel = Arrays.stream(shape).reduce(1, (x, y) -> x * y);
    return host.block(0)
        .narrow(0, computeOffset + parameters.layout().offset(name) * element, numel * element)
        // a view in another dtype takes memory that is aligned for it
        .clone()
        .view(parameters.computeDtype().scalarType())
        .view(shape);
  }

  private void write(long start, long bytes, SafetensorsWriter.Sink sink) throws IOException {
    for (long done = 0; done < bytes; done += CHUNK_BYTES) {
      try (TensorScope scope = new TensorScope()) {
        long length = Math.min(CHUNK_BYTES, bytes - done);
        Tensor chunk = host.block(0).narrow(0, start + done, length);
        sink.write(Tensors.bytes(chunk, 0).asByteBuffer());
      }
    }
  }

  /** Frees the memory, once nobody writes what is in it. */
  @Override
  public void close() {
    copied.synchronize();
    host.closeUnused();
    copied.close();
    updated.close();
    stream.close();
  }
}
