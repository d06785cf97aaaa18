package dev.anneal.spark.job;

/** What lies at the bottom of an exception. */
final class RootCause {
  private RootCause() {}

  static String sentence(Throwable failure) {
    Throwable root = failure;
    while (root.getCause() != null && root.getCause() != root) {
      root = root.getCause();
    }
    String message = root.getMessage();
    return message == null ? root.toString() : message.lines().findFirst().orElse("").strip();
  }
}
