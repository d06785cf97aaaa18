package dev.anneal.training.kernel;

/** A kernel could not be compiled or started; the message names it and the device. */
public final class KernelException extends RuntimeException {
  private static final long serialVersionUID = 1;

  KernelException(String message) {
    super(message);
  }

  KernelException(String message, Throwable cause) {
    super(message, cause);
  }
}
