package dev.anneal.training.merge;

import dev.anneal.training.io.TensorSpec;
import java.io.Serializable;
import java.util.List;

/**
 * One file of a merged model.
 *
 * @param tensors in the order of their data
 */
public record MergePiece(String file, List<TensorSpec> tensors) implements Serializable {
  public MergePiece {
    tensors = List.copyOf(tensors);
  }

  /** Bytes of its tensors. */
  public long bytes() {
    return tensors.stream().mapToLong(TensorSpec::byteSize).sum();
  }
}
