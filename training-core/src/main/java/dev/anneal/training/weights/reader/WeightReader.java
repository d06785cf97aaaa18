package dev.anneal.training.weights.reader;

import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** Reads the weights of a model by their Hugging Face names, whole or in part. */
public interface WeightReader extends AutoCloseable {

  /**
   * Elements {@code [first, first + count)} of the flattened tensor {@code name}.
   *
   * @return {@code [count]} of {@code dtype} in the current tensor scope
   */
  Tensor read(String name, long first, long count, DType dtype);

  /** The whole tensor in its shape. */
  default Tensor read(String name, DType dtype, long... shape) {
    long count = 1;
    for (long dim : shape) {
      count *= dim;
    }
    return read(name, 0, count, dtype).view(shape);
  }

  /**
   * Reads all {@code wanted} rows onto {@code device}, piece by piece, with little memory beside
   * that of their sinks. When it returns the sinks' work is done, on a GPU too.
   */
  void stream(List<WantedRows> wanted, Device device, LoadProgress progress);

  @Override
  void close();
}
