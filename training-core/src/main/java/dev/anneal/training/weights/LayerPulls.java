package dev.anneal.training.weights;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.peer.CopyStream;
import dev.anneal.training.peer.PeerMemory;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.timing.Lane;
import dev.anneal.training.timing.Timings;
import dev.anneal.training.weights.PullPlan.Copy;
import dev.anneal.training.weights.PullPlan.Upload;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/**
 * Brings layers together by copies out of the memory of the ranks that hold them. Rows on devices
 * never change and need no order. Rows on the host come up over a stream of their own into their
 * owner's buffer, where the others read them: a rank waits for its peers' rows of this fetch, and
 * writes its own only once all have those of the last fetch into the same buffer.
 */
final class LayerPulls implements AutoCloseable {
  private static final String NAME = "bringing a layer together";

  private final PullPlan plan;
  private final Collectives ranks;
  private final PeerMemory memory;
  private final int layers;
  private final CudaStream pulls;
  private final CopyStream pulling;
  private final CudaStream uploads;
  private final CopyStream uploading;
  private final CudaEvent uploaded;

  /** Of every layer source, place in the buffer and bytes of each piece on the host. */
  private final List<long[]> pieces = new ArrayList<>();

  /** Number of the last fetch into each buffer; 0: none yet. */
  private final int[] lastInto = new int[LayerBuffers.COUNT];

  /**
   * @param pulls the stream that {@link #fetch} is called on
   * @param memory shares the device rows of every layer, then the buffers, then what belongs to no
   *     layer
   */
  LayerPulls(
      LayerLayout layout,
      LayerShards shards,
      int layers,
      Collectives ranks,
      Device device,
      CudaStream pulls,
      PeerMemory memory) {
    this.plan = PullPlan.of(layout);
    this.ranks = ranks;
    this.memory = memory;
    this.layers = layers;
    this.pulls = pulls;
    this.pulling = memory.on(pulls);
    this.uploads = CudaStream.of(device);
    this.uploading = memory.on(uploads);
    this.uploaded = new CudaEvent(device);
    for (int layer = 0; layer < layers; layer++) {
      pieces.add(pieces(layout, shards, layer));
    }
  }

  private long[] pieces(LayerLayout layout, LayerShards shards, int layer) {
    List<Long> found = new ArrayList<>();
    for (Upload upload : plan.uploads()) {
      long to = upload.to();
      for (Tensor piece : shards.onHost(layer, layout.parts().get(upload.part()))) {
        found.addAll(List.of(piece.data_ptr().address(), to, piece.nbytes()));
        to += piece.nbytes();
      }
    }
    return found.stream().mapToLong(Long::longValue).toArray();
  }

  /**
   * Puts all copies of {@code layer} into buffer number {@code buffer} into the current stream.
   *
   * @param released what was computed with the buffer is done
   */
  void fetch(int layer, int buffer, CudaEvent released) {
    ranks.watched(NAME, () -> enqueue(layer, buffer, released));
  }

  /** Puts the copies of all ranks' parts of what {@code shared} names into the pulling stream. */
  void pull(int shared, Tensor whole) {
    memory.pull(shared, whole, pulls);
  }

  /** Where each rank's part of what {@code shared} names begins for this rank's device. */
  long[] addresses(int shared) {
    return IntStream.range(0, memory.size())
        .mapToLong(rank -> memory.address(rank, shared))
        .toArray();
  }

  private void enqueue(int layer, int buffer, CudaEvent released) {
    boolean hosted = !plan.uploads().isEmpty();
    long into = memory.address(memory.rank(), layers + buffer);
    int number = hosted ? memory.next() : 0;
    if (hosted) {
      upload(layer, buffer, into, number, released);
    }
    for (Copy copy : plan.device()) {
      pulling.copy(
          into + copy.to(), memory.address(copy.rank(), layer) + copy.from(), copy.bytes());
    }
    if (hosted) {
      for (List<Copy> ofPeer : plan.host()) {
        int peer = ofPeer.get(0).rank();
        pulling.await(memory.ready(peer), number);
        long from = memory.address(peer, layers + buffer);
        for (Copy copy : ofPeer) {
          pulling.copy(into + copy.to(), from + copy.from(), copy.bytes());
        }
      }
      pulling.write(memory.pulled(memory.rank()), number);
      uploaded.await();
    }
  }

  /** This rank's rows from the host into its buffer, beside the pulls. */
  private void upload(int layer, int buffer, long into, int number, CudaEvent released) {
    uploads.waitFor(released);
    for (int i = 0; i < memory.size() - 1; i++) {
      uploading.await(memory.pulled(memory.inRing(i)), lastInto[buffer]);
    }
    lastInto[buffer] = number;
    long[] ofLayer = pieces.get(layer);
    try (CudaStream.Use on = uploads.use();
        Timings.Span span = ranks.timings().device(Lane.OFFLOAD, "weights to device", layer)) {
      for (int i = 0; i < ofLayer.length; i += 3) {
        uploading.copy(into + ofLayer[i + 1], ofLayer[i], ofLayer[i + 2]);
      }
    }
    uploading.write(memory.ready(memory.rank()), number);
    uploads.record(uploaded);
  }

  /** All pulls are before what the current stream does next. */
  @Override
  public void close() {
    // a fetch that failed on its way has not joined both streams
    uploads.record(uploaded);
    uploaded.await();
    memory.close();
    uploaded.close();
    uploads.close();
  }
}
