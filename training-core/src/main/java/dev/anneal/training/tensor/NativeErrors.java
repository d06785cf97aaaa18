package dev.anneal.training.tensor;

import java.util.List;

/** What to tell a user of a failure that may come from libtorch. */
public final class NativeErrors {
  /** Below it stands what NCCL knows of the cause. */
  private static final String NCCL_CAUSE = "Last error:";

  /** Where in libtorch's sources NCCL was called. */
  private static final String NCCL_CALL = "NCCL error in: \\S+:\\d+, ";

  private NativeErrors() {}

  /**
   * The message in one line, without the C++ stack trace that libtorch appends to it, and with the
   * cause that NCCL gives further down.
   */
  public static String firstLine(Throwable error) {
    String message = error.getMessage() == null ? error.toString() : error.getMessage();
    List<String> lines = message.lines().map(String::strip).toList();
    if (lines.isEmpty()) {
      return error.toString();
    }
    String first = lines.get(0).replaceFirst(NCCL_CALL, "");
    int cause = lines.indexOf(NCCL_CAUSE) + 1;
    return cause == 0 || cause == lines.size() || lines.get(cause).isEmpty()
        ? first
        : "%s (%s)".formatted(lines.get(cause), first);
  }
}
