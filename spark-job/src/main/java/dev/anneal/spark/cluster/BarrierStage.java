package dev.anneal.spark.cluster;

import dev.anneal.data.task.TaskFailure;
import java.io.Serializable;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.BarrierTaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import scala.Function1;
import scala.collection.Iterator;
import scala.collection.Iterator$;
import scala.reflect.ClassTag$;

/** Barrier stages with one task an executor, which all run at once. */
public final class BarrierStage {
  private BarrierStage() {}

  /** What each of the tasks does. */
  @FunctionalInterface
  public interface Task<T> extends Serializable {
    T run();
  }

  /**
   * A stage that runs with the first action on it.
   *
   * @param gpusPerTask that a task asks for where Spark assigns GPUs
   * @return what the tasks give, in their order
   */
  public static <T> JavaRDD<T> of(
      JavaSparkContext spark, int tasks, int gpusPerTask, Task<T> task) {
    List<Integer> numbers = IntStream.range(0, tasks).boxed().toList();
    return NodePlacement.oneTaskPerExecutor(
            spark.parallelize(numbers, tasks).rdd(), spark.getConf(), gpusPerTask)
        .barrier()
        .<T>mapPartitions(
            (Function1<Iterator<Integer>, Iterator<T>> & Serializable)
                number -> Iterator$.MODULE$.single(TaskFailure.readable(task::run)),
            false,
            ClassTag$.MODULE$.apply(Object.class))
        .toJavaRDD();
  }

  /** The address of a task's host that Spark uses. */
  public static String host(BarrierTaskContext context) {
    String address = context.getTaskInfos()[context.partitionId()].address();
    // an IPv6 address has colons of its own, so the port is behind the last one
    int port = address.lastIndexOf(':');
    return port < 0 ? address : address.substring(0, port).replaceAll("[\\[\\]]", "");
  }
}
