package dev.anneal.spark.doctor;

import dev.anneal.data.task.TaskResults;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.scheduler.TaskInfo;

/**
 * How far the clocks of executors are off the driver's: a task that does nothing but look at its
 * clock, halfway between its begin and its end by the driver's.
 */
final class ClockChecks {
  private static final Duration LIMIT = Duration.ofSeconds(30);

  /** Kerberos refuses clocks that are five minutes apart, object stores a quarter of an hour. */
  private static final Duration APART = Duration.ofMinutes(5);

  private ClockChecks() {}

  /**
   * The findings by place, of those whose times Spark has told.
   *
   * @param looks a stage of {@link #look}
   */
  static Map<String, Finding> run(JavaSparkContext spark, JavaRDD<String> looks)
      throws ExecutionException, TimeoutException, InterruptedException {
    TaskTimes times = new TaskTimes();
    spark.sc().addSparkListener(times);
    try {
      Map<String, Finding> found = new LinkedHashMap<>();
      for (String said : TaskResults.collect(looks, LIMIT)) {
        String[] words = said.split(" ", 3);
        Optional<TaskInfo> task = times.of(Long.parseLong(words[0]));
        task.ifPresent(
            info ->
                found.put(
                    words[2],
                    finding(Long.parseLong(words[1]), info.launchTime(), info.finishTime())));
      }
      return found;
    } finally {
      spark.sc().removeSparkListener(times);
    }
  }

  /** A task: its id, its clock and its place. */
  static String look() {
    return "%s %s %s"
        .formatted(
            TaskContext.get().taskAttemptId(),
            System.currentTimeMillis(),
            PlaceReport.executor(SparkEnv.get().executorId()));
  }

  /**
   * One finding, all times in milliseconds since the epoch.
   *
   * @param clock what the executor saw
   * @param begin and {@code end} of its task by the driver's clock
   */
  static Finding finding(long clock, long begin, long end) {
    long off = clock - (begin + end) / 2;
    return Math.abs(off) < APART.toMillis()
        ? Finding.of(String.format(Locale.ROOT, "%+d ms, +-%s", off, (end - begin + 1) / 2))
        : Finding.stopping(
            String.format(
                Locale.ROOT,
                "The clock is %+d s off the driver's: object stores and Kerberos refuse what comes with a wrong time, so let the nodes keep it by NTP.",
                off / 1000));
  }
}
