package dev.anneal.training.cuda;

import dev.anneal.training.tensor.Device;
import java.util.Optional;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.Pointer;

/**
 * Keeps pages of the host where they are, so that a GPU reads and writes them by itself. Any thread
 * may call; what comes back is the cause where it fails.
 */
interface PageLock {
  /** For ordinary memory. */
  PageLock NONE =
      new PageLock() {
        @Override
        public Optional<String> lock(Pointer start, long bytes) {
          return Optional.empty();
        }

        @Override
        public Optional<String> unlock(Pointer start) {
          return Optional.empty();
        }
      };

  /** Locks {@code bytes} bytes: whole pages of which none is locked. */
  Optional<String> lock(Pointer start, long bytes);

  /** Ends the {@link #lock} that began at {@code start}. */
  Optional<String> unlock(Pointer start);

  /** For all GPUs of the process on a GPU's behalf; for the host as device {@link #NONE}. */
  static PageLock of(Device device) {
    return device.isGpu() ? new Cuda(device) : NONE;
  }

  /** By {@code cudaHostRegister}. */
  record Cuda(Device device) implements PageLock {
    @Override
    public Optional<String> lock(Pointer start, long bytes) {
      return onDevice(
          "cudaHostRegister",
          () -> cudart.cudaHostRegister(start, bytes, cudart.cudaHostRegisterPortable));
    }

    @Override
    public Optional<String> unlock(Pointer start) {
      return onDevice("cudaHostUnregister", () -> cudart.cudaHostUnregister(start));
    }

    /** A runtime call. */
    private interface Call {
      int run();
    }

    private Optional<String> onDevice(String name, Call call) {
      // a thread that has no device yet would begin a context on GPU 0
      int error = cudart.cudaSetDevice(device.cuda());
      if (error == cudart.cudaSuccess) {
        error = call.run();
      }
      if (error == cudart.cudaSuccess) {
        return Optional.empty();
      }
      // or libtorch would find it later and take it for its own
      cudart.cudaGetLastError();
      return Optional.of(
          "%s on %s: %s".formatted(name, device, cudart.cudaGetErrorString(error).getString()));
    }
  }
}
