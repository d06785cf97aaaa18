package dev.anneal.spark.doctor;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.scheduler.TaskInfo;

/** When the driver began and ended each task, by the driver's clock. */
final class TaskTimes extends SparkListener {
  private static final Duration PATIENCE = Duration.ofSeconds(2);

  private final Map<Long, TaskInfo> ended = new HashMap<>();

  @Override
  public void onTaskEnd(SparkListenerTaskEnd end) {
    synchronized (ended) {
      ended.put(end.taskInfo().taskId(), end.taskInfo());
      ended.notifyAll();
    }
  }

  /** Of a task that has ended; Spark tells its listeners a moment after the result. */
  Optional<TaskInfo> of(long taskId) throws InterruptedException {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    synchronized (ended) {
      while (!ended.containsKey(taskId)) {
        long left = (deadline - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          return Optional.empty();
        }
        ended.wait(left);
      }
      return Optional.of(ended.get(taskId));
    }
  }
}
