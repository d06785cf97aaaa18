package dev.anneal.spark.train;

import dev.anneal.data.task.TaskFailure;
import dev.anneal.spark.cluster.NodePlacement;
import dev.anneal.spark.config.AnnealConfig;
import java.io.Serializable;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rdd.RDD;
import scala.Function1;
import scala.collection.Iterator;
import scala.collection.Iterator$;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;

/** The training stage: a barrier stage with one task per node, which runs the node's ranks. */
public final class BarrierTraining {
  private BarrierTraining() {}

  /** Runs the stage; returns when every rank is done. */
  public static void run(JavaSparkContext spark, AnnealConfig config, Attempt attempt) {
    int nodes = config.cluster().nodes();
    List<Integer> numbers = IntStream.range(0, nodes).boxed().toList();
    NodeTask task = new NodeTask(config, attempt);
    ClassTag<Integer> tag = ClassTag$.MODULE$.apply(Integer.class);
    RDD<Integer> stage =
        NodePlacement.oneTaskPerExecutor(
                spark.parallelize(numbers, nodes).rdd(),
                spark.getConf(),
                config.cluster().gpusPerNode())
            .barrier()
            .mapPartitions(
                (Function1<Iterator<Integer>, Iterator<Integer>> & Serializable)
                    node -> Iterator$.MODULE$.single(TaskFailure.readable(task::run)),
                false,
                tag);
    // an action whose result is a number, whatever the stage's elements are
    stage.count();
  }
}
