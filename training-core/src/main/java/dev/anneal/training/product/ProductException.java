package dev.anneal.training.product;

/** cuBLASLt refuses a call; the message names it, the status and the product. */
public final class ProductException extends RuntimeException {
  private static final long serialVersionUID = 1;

  ProductException(String message) {
    super(message);
  }
}
