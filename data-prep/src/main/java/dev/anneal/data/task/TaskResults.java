package dev.anneal.data.task;

import java.io.Serializable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.apache.spark.api.java.JavaFutureAction;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.rdd.RDD;
import scala.Function1;
import scala.Function2;
import scala.reflect.ClassTag$;
import scala.runtime.BoxedUnit;

/** Brings what tasks have made to the driver, as bytes: see {@link ObjectBytes}. */
public final class TaskResults {
  private TaskResults() {}

  /**
   * The elements of all partitions, in their order.
   *
   * @param elements serializable
   */
  public static <T> List<T> collect(JavaRDD<T> elements) {
    return read(elements.mapPartitions(TaskResults::toBytes).collect());
  }

  /**
   * The elements of one partition, in their order.
   *
   * @param elements serializable
   */
  public static <T> List<T> collect(JavaRDD<T> elements, int partition) {
    return read(
        elements.mapPartitions(TaskResults::toBytes).collectPartitions(new int[] {partition})[0]);
  }

  /**
   * Same as {@link #collect(JavaRDD)}, but not for ever.
   *
   * @throws TimeoutException if it takes longer; the tasks are cancelled then
   * @throws ExecutionException if a task fails
   */
  public static <T> List<T> collect(JavaRDD<T> elements, Duration limit)
      throws ExecutionException, InterruptedException, TimeoutException {
    JavaFutureAction<List<byte[]>> bytes =
        elements.mapPartitions(TaskResults::toBytes).collectAsync();
    try {
      return read(bytes.get(limit.toMillis(), TimeUnit.MILLISECONDS));
    } finally {
      bytes.cancel(true);
    }
  }

  /** Begins tasks whose elements nobody reads. */
  public static <T> JavaFutureAction<?> start(JavaRDD<T> elements) {
    return elements.mapPartitions(TaskResults::toBytes).collectAsync();
  }

  /** Texts of all partitions in their order, a partition at a time. */
  public static Iterator<String> texts(JavaRDD<String> texts) {
    return texts.toLocalIterator();
  }

  /**
   * Hands over the elements of each partition as soon as it is done, in any order; returns with the
   * last one.
   *
   * @param elements serializable
   * @param taker called in Spark's own thread, and so quick
   */
  public static <T> void forEachPartition(JavaRDD<T> elements, Consumer<List<T>> taker) {
    RDD<byte[]> bytes = elements.mapPartitions(TaskResults::toBytes).rdd();
    bytes
        .context()
        .<byte[], byte[]>runJob(
            bytes,
            (Function1<scala.collection.Iterator<byte[]>, byte[]> & Serializable)
                partition -> partition.hasNext() ? partition.next() : null,
            (Function2<Object, byte[], BoxedUnit> & Serializable)
                (number, result) -> {
                  taker.accept(result == null ? List.of() : read(List.of(result)));
                  return BoxedUnit.UNIT;
                },
            ClassTag$.MODULE$.apply(byte[].class));
  }

  private static <T> Iterator<byte[]> toBytes(Iterator<T> partition) {
    ArrayList<T> elements = new ArrayList<>();
    TaskFailure.readable(partition).forEachRemaining(elements::add);
    return elements.isEmpty()
        ? List.<byte[]>of().iterator()
        : List.of(ObjectBytes.of(elements)).iterator();
  }

  @SuppressWarnings("unchecked")
  private static <T> List<T> read(List<byte[]> partitions) {
    List<T> elements = new ArrayList<>();
    partitions.forEach(bytes -> elements.addAll((List<T>) ObjectBytes.read(bytes)));
    return elements;
  }
}
