package dev.anneal.training.cuda;

/** This host cannot compute on GPUs as it is; the message says in one sentence what is missing. */
public final class GpuException extends RuntimeException {
  GpuException(String message) {
    super(message);
  }

  GpuException(String message, Throwable cause) {
    super(message, cause);
  }
}
