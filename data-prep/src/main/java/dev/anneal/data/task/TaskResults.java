package dev.anneal.data.task;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;

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
