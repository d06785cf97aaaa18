package dev.anneal.training.cudnn;

/** cuDNN cannot be loaded, or does not do what it was asked for. */
public final class CudnnException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  CudnnException(String message) {
    super(message);
  }

  CudnnException(String message, Throwable cause) {
    super(message, cause);
  }
}
