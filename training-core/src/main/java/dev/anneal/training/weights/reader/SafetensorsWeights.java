package dev.anneal.training.weights.reader;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Reads weights from safetensors files straight into tensors' memory. */
public final class SafetensorsWeights implements WeightReader {
  /** A ByteBuffer reaches 2 GiB at most. */
  private static final long CHUNK_BYTES = 1L << 28;

  private final SafetensorsIndex index;

  private SafetensorsWeights(SafetensorsIndex index) {
    this.index = index;
  }

  /**
   * Opens the weights in {@code folder}.
   *
   * @param singleFile name of the weights' file where they are in one: {@link
   *     SafetensorsIndex#MODEL_FILE} or {@link SafetensorsIndex#ADAPTER_FILE}
   */
  public static SafetensorsWeights open(ModelFolder folder, String singleFile) {
    try {
      return new SafetensorsWeights(SafetensorsIndex.open(folder, singleFile));
    } catch (IOException e) {
      throw unreadable(folder.location(), e);
    }
  }

  @Override
  public Tensor read(String name, long first, long count, DType dtype) {
    try (TensorScope scope = new TensorScope()) {
      Tensor stored = Tensors.empty(scalarType(index.entry(name).dtype()), count);
      fill(stored, index, name, first);
      return scope.keep(stored.to(dtype.scalarType()));
    } catch (IOException e) {
      throw unreadable(index.where(name), e);
    }
  }

  @Override
  public void stream(List<WantedRows> wanted, Device device, LoadProgress progress) {
    try {
      SafetensorsStream.Limits limits = SafetensorsStream.Limits.DEFAULT;
      new SafetensorsStream(index, device, limits).read(wanted, progress);
    } catch (IOException e) {
      throw unreadable("the model folder", e);
    }
  }

  /**
   * Fills a tensor on the host with what is stored of tensor {@code name}, from its element {@code
   * first} on.
   *
   * @param stored contiguous, of the type that the tensor is stored in
   */
  public static void fill(Tensor stored, SafetensorsIndex index, String name, long first)
      throws IOException {
    long elementBytes = index.entry(name).dtype().bytes();
    for (long offset = 0; offset < stored.nbytes(); offset += CHUNK_BYTES) {
      long length = Math.min(CHUNK_BYTES, stored.nbytes() - offset);
      BytePointer memory = Tensors.bytes(stored, offset).limit(offset + length);
      ByteBuffer chunk = memory.asByteBuffer();
      index.read(name, first + offset / elementBytes, chunk);
    }
  }

  static ScalarType scalarType(SafetensorsDType dtype) {
    return switch (dtype) {
      case F32 -> ScalarType.Float;
      case F16 -> ScalarType.Half;
      case BF16 -> ScalarType.BFloat16;
      default -> throw new InvalidModelException("weights of type " + dtype + " are not supported");
    };
  }

  private static InvalidModelException unreadable(String where, IOException e) {
    return new InvalidModelException("%s cannot be read: %s".formatted(where, e.getMessage()), e);
  }

  @Override
  public void close() {
    try {
      index.close();
    } catch (IOException e) {
      throw unreadable("the model folder", e);
    }
  }
}
