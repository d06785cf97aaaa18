package dev.anneal.training.cuda;

import java.util.Locale;

/** A GPU has not as much memory left as is asked for beside libtorch's allocator. */
public final class DeviceMemoryException extends RuntimeException {
  /**
   * Says what libtorch says where its own allocator finds no memory, so that it is told alike.
   *
   * @param bytes that were asked for
   * @param what they were for
   */
  public DeviceMemoryException(long bytes, String what) {
    super(
        String.format(
            Locale.ROOT,
            "CUDA out of memory. There are no %.2f GB left for %s.",
            bytes / 1e9,
            what));
  }
}
