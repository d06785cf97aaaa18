package dev.anneal.spark.train;

import dev.anneal.spark.cluster.NodePlacement;
import dev.anneal.training.cuda.Gpu;
import java.io.Serializable;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.BarrierTaskContext;
import org.apache.spark.SparkConf;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaSparkContext;
import scala.Function1;
import scala.collection.Iterator;
import scala.jdk.javaapi.CollectionConverters;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;

/** A Spark application that prints which GPUs each task of a barrier stage gets. */
public final class GpuAssignmentProbe {
  private GpuAssignmentProbe() {}

  /** Runs a stage like those that prepare data, and one like that which trains. */
  public static void main(String[] args) {
    int nodes = 2;
    int gpus = 2;
    SparkConf conf = new SparkConf().setAppName("probe");
    try (JavaSparkContext spark = new JavaSparkContext(conf)) {
      List<Integer> numbers = List.of(0, 1, 2, 3);
      System.out.println(
          "plain tasks: "
              + spark
                  .parallelize(numbers, numbers.size())
                  .map(number -> TaskContext.get().resourcesJMap().size())
                  .collect());
      ClassTag<String> tag = ClassTag$.MODULE$.apply(String.class);
      NodePlacement.oneTaskPerExecutor(
              spark.parallelize(numbers.subList(0, nodes), nodes).rdd(), conf, gpus)
          .barrier()
          .mapPartitions(
              (Function1<Iterator<Integer>, Iterator<String>> & Serializable)
                  node ->
                      CollectionConverters.asScala(Collections.singleton(taken(gpus)).iterator()),
              false,
              tag)
          .toJavaRDD()
          .collect()
          .forEach(System.out::println);
    }
  }

  private static String taken(int gpus) {
    BarrierTaskContext context = BarrierTaskContext.get();
    List<Gpu> seen =
        IntStream.range(0, 4).mapToObj(index -> new Gpu(index, "any", 1, "580")).toList();
    String[] addresses = context.resourcesJMap().get("gpu").addresses();
    List<Integer> taken =
        GpuDivision.assigned(addresses, gpus, seen).stream().map(Gpu::index).toList();
    return "task %s: %s".formatted(context.partitionId(), taken);
  }
}
