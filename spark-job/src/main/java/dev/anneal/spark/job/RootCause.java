package dev.anneal.spark.job;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What lies at the bottom of an exception. */
public final class RootCause {
  /** How Spark says where a task ran. */
  private static final Pattern PLACE = Pattern.compile("\\((\\S+) executor \\S+\\)");

  private static final String FULL_DISK = "No space left on device";

  private RootCause() {}

  /** The first line of it, with where it happened if that matters. */
  public static String sentence(Throwable failure) {
    Throwable root = failure;
    while (root.getCause() != null && root.getCause() != root) {
      root = root.getCause();
    }
    String message = root.getMessage();
    String cause = message == null ? root.toString() : message.lines().findFirst().orElse("");
    String where = place(failure).map(host -> " on " + host).orElse("");
    return cause.contains(FULL_DISK)
        ? "a disk is full%s (%s): free space there, or name a larger one in spark.local.dir."
            .formatted(where, FULL_DISK)
        : cause.strip();
  }

  private static Optional<String> place(Throwable failure) {
    return Stream.iterate(failure, t -> t != null, Throwable::getCause)
        .map(t -> PLACE.matcher(String.valueOf(t.getMessage())))
        .filter(Matcher::find)
        .map(found -> found.group(1))
        .findFirst();
  }
}
