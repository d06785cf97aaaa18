package dev.anneal.spark.doctor;

import dev.anneal.spark.cluster.NodePlacement;
import java.io.Serializable;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaFutureAction;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rdd.RDD;
import scala.Function1;
import scala.collection.Iterator;
import scala.collection.Iterator$;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;

/** Barrier stages like that which trains, whose tasks each say one text. */
record BarrierJob(JavaSparkContext spark, int tasks, int gpusPerTask) {

  /** What a task does; its text is of the JVM's own types, since Spark's own loader reads it. */
  interface Task extends Serializable {
    String run();
  }

  /**
   * Runs a stage.
   *
   * @return what the tasks say, in their order
   * @throws ExecutionException if a task fails
   * @throws TimeoutException if it does not end in time; it is cancelled then
   */
  List<String> run(Task task, Duration limit)
      throws ExecutionException, TimeoutException, InterruptedException {
    List<Integer> numbers = IntStream.range(0, tasks).boxed().toList();
    ClassTag<String> tag = ClassTag$.MODULE$.apply(String.class);
    RDD<String> stage =
        NodePlacement.oneTaskPerExecutor(
                spark.parallelize(numbers, tasks).rdd(), spark.getConf(), gpusPerTask)
            .barrier()
            .mapPartitions(
                (Function1<Iterator<Integer>, Iterator<String>> & Serializable)
                    node -> Iterator$.MODULE$.single(task.run()),
                false,
                tag);
    JavaFutureAction<List<String>> result = stage.toJavaRDD().collectAsync();
    try {
      return result.get(limit.toSeconds(), TimeUnit.SECONDS);
    } finally {
      result.cancel(true);
    }
  }
}
