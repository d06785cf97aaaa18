package dev.anneal.training.tensor;

/** What to tell a user of a failure that may come from libtorch. */
public final class NativeErrors {
  private NativeErrors() {}

  /** The message without the C++ stack trace that libtorch appends to it. */
  public static String firstLine(Throwable error) {
    String message = error.getMessage() == null ? error.toString() : error.getMessage();
    return message.lines().findFirst().orElseGet(error::toString);
  }
}
