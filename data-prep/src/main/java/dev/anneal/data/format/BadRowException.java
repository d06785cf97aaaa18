package dev.anneal.data.format;

/**
 * A row that cannot be used. The message is the reason as it is counted: the same for all rows with
 * the same fault.
 */
public final class BadRowException extends Exception {
  private static final long serialVersionUID = 1L;

  public BadRowException(String reason) {
    super(reason, null, false, false);
  }
}
