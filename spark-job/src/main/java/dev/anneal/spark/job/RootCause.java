package dev.anneal.spark.job;

import dev.anneal.data.task.TaskFailure;
import dev.anneal.data.task.TaskFailure.Cause;
import dev.anneal.spark.progress.ExecutorLogs;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.spark.SparkContext;

/** What lies at the bottom of an exception. */
public final class RootCause {
  /** How Spark says where a task ran. */
  private static final Pattern PLACE = Pattern.compile("\\((\\S+) executor \\S+\\)");

  private static final String FULL_DISK = "No space left on device";

  /** Spark's number for a barrier stage that has too few executors. */
  private static final String TOO_FEW_SLOTS = "SPARK-24819";

  private RootCause() {}

  /** What executors have said at their end, if anything explains it; else {@link #sentence}. */
  public static String sentence(SparkContext spark, Exception failure) {
    return new ExecutorLogs(spark).explain(failure).orElseGet(() -> sentence(failure));
  }

  /** The first line of it, with where it happened if that matters. */
  public static String sentence(Throwable failure) {
    List<Cause> causes = TaskFailure.causes(failure);
    Cause root = causes.get(causes.size() - 1);
    String message = root.message();
    String cause = message == null ? root.type() : message.lines().findFirst().orElse("");
    if (cause.contains(TOO_FEW_SLOTS)) {
      return "the cluster has fewer executors than cluster.nodes asks for: let it start more, or lower cluster.nodes.";
    }
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
