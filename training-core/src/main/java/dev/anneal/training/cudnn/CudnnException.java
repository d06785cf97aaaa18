package dev.anneal.training.cudnn;

import static org.bytedeco.cuda.global.cudnn.CUDNN_STATUS_INTERNAL_ERROR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_STATUS_NOT_SUPPORTED;

/** cuDNN cannot be loaded, or does not do what it was asked for. */
public final class CudnnException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final boolean refusal;

  CudnnException(String message) {
    this(message, false);
  }

  CudnnException(String message, Throwable cause) {
    super(message, cause);
    this.refusal = false;
  }

  private CudnnException(String message, boolean refusal) {
    super(message);
    this.refusal = refusal;
  }

  /** That of a call which gave {@code status}. */
  static CudnnException of(int status, String message) {
    // statuses of a kind lie between round numbers
    return new CudnnException(
        message, status >= CUDNN_STATUS_NOT_SUPPORTED && status < CUDNN_STATUS_INTERNAL_ERROR);
  }

  /** That of something which cuDNN has not. */
  static CudnnException refusal(String message) {
    return new CudnnException(message, true);
  }

  /** Whether cuDNN says that it does not support what is asked, and nothing has gone wrong. */
  boolean isRefusal() {
    return refusal;
  }
}
