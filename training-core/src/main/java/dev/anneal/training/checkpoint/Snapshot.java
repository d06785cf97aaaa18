package dev.anneal.training.checkpoint;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.cuda.RegisteredMemory;
import dev.anneal.training.io.SafetensorsWriter;
import dev.anneal.training.optim.AdamW;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.io.IOException;
import java.util.ArrayList;
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
  private record Region(Tensor source, long offset, long bytes, int elementBytes) {}

  /** What is written at a time. */
  private static final long CHUNK_BYTES = 8 << 20;

  private final Parameters parameters;
  private final List<Region> regions;
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
    List<Tensor> sources =
        new ArrayList<>(List.of(parameters.master(), optimizer.expAvg(), optimizer.expAvgSq()));
    if (values == Values.MASTER_AND_COMPUTE) {
      sources.add(parameters.compute());
    }
    regions = new ArrayList<>();
    long offset = 0;
    for (Tensor source : sources) {
      regions.add(new Region(source, offset, source.nbytes(), (int) source.element_size()));
      offset += source.nbytes();
    }
    int threads = RegisteredMemory.threads(ranks);
    host = RegisteredMemory.allocate(device, 1, offset, threads, done -> {});
    stream = CudaStream.of(device);
    updated = new CudaEvent(device);
    copied = new CudaEvent(device);
  }

  /** Copies what the current stream's work so far leaves in the tensors. */
  void take() {
    updated.record();
    stream.waitFor(updated);
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad();
        CudaStream.Use use = stream.use()) {
      parameters.awaitComputeBeside();
      for (Region region : regions) {
        host.block(0)
            .narrow(0, region.offset(), region.bytes())
            .copy_(region.source().view(ScalarType.Byte), true);
      }
      copied.record();
    }
  }

  /** Makes the current stream wait until the tensors may change. */
  void awaitCopied() {
    copied.await();
  }

  /** Returns when the copy is there; any thread may ask. */
  void synchronize() {
    copied.synchronize();
  }

  /** Writes the copy of the {@code index}-th of master, moments and compute. */
  void write(int index, SafetensorsWriter.Sink sink) throws IOException {
    Region region = regions.get(index);
    write(region.offset(), region.bytes(), sink);
  }

  /** Writes the copy of the compute values of {@code name}, a parameter of {@code bytes} bytes. */
  void writeCompute(String name, long bytes, SafetensorsWriter.Sink sink) throws IOException {
    Region region = regions.get(regions.size() - 1);
    write(region.offset() + parameters.offset(name) * region.elementBytes(), bytes, sink);
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
