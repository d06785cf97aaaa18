package dev.anneal.training.weights;

import dev.anneal.training.cuda.PinnedMemory;
import dev.anneal.training.tensor.Device;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** Bytes on the host in a few pieces that a GPU reads and writes by itself. */
public record HostBytes(List<Tensor> pieces) {

  /** Uninitialized, in the current tensor scope. */
  public static HostBytes allocate(Device device, long bytes) {
    return new HostBytes(PinnedMemory.pieces(device, bytes));
  }

  /** What the pieces take, which is a little more than was asked for. */
  public long allocatedBytes() {
    return pieces.stream().mapToLong(Tensor::nbytes).sum();
  }

  /** Bytes {@code [offset, offset + length)}, as views of the pieces that they lie in. */
  public List<Tensor> views(long offset, long length) {
    List<Tensor> views = new ArrayList<>();
    long start = 0;
    for (Tensor piece : pieces) {
      long from = Math.max(offset, start);
      long to = Math.min(offset + length, start + piece.nbytes());
      if (from < to) {
        views.add(piece.narrow(0, from - start, to - from));
      }
      start += piece.nbytes();
    }
    return views;
  }
}
