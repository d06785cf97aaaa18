package dev.anneal.training.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.tensor.Tensors;
import org.bytedeco.cuda.cudart.cudaPointerAttributes;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.pytorch.Tensor;

/**
 * What CUDA knows of memory of the host. libtorch's {@code is_pinned} asks about the beginning of a
 * tensor's storage, and of {@link RegisteredMemory} only whole pages behind it are locked: the two
 * are the same for storages of 2 MiB or more where {@code THP_MEM_ALLOC_ENABLE} is 1.
 */
public final class PageLocks {
  private PageLocks() {}

  /** Whether a GPU reads and writes the page of {@code tensor}'s first element by itself. */
  public static boolean isLocked(Tensor tensor) {
    try (cudaPointerAttributes attributes = new cudaPointerAttributes()) {
      int error = cudart.cudaPointerGetAttributes(attributes, Tensors.bytes(tensor, 0));
      assertThat(error).as("cudaPointerGetAttributes").isEqualTo(cudart.cudaSuccess);
      return attributes.type() == cudart.cudaMemoryTypeHost;
    }
  }
}
