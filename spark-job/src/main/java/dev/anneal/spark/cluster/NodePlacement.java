package dev.anneal.spark.cluster;

import java.util.OptionalInt;
import org.apache.spark.SparkConf;
import org.apache.spark.rdd.RDD;
import org.apache.spark.resource.ResourceProfile;
import org.apache.spark.resource.ResourceProfileBuilder;
import org.apache.spark.resource.TaskResourceRequests;

/** Puts every task of a stage on an executor of its own. */
public final class NodePlacement {
  private NodePlacement() {}

  /**
   * The same stage with tasks as large as an executor, where that is known, and with GPUs, where
   * Spark assigns them. Only this stage asks for GPUs: those before it run as wide as there are
   * cores.
   */
  public static <T> RDD<T> oneTaskPerExecutor(RDD<T> stage, SparkConf conf, int gpus) {
    OptionalInt cores = Slots.executorCores(conf);
    boolean assigned = gpus > 0 && conf.contains("spark.executor.resource.gpu.amount");
    if (cores.isEmpty() || (!assigned && cores.getAsInt() == conf.getInt("spark.task.cpus", 1))) {
      return stage;
    }
    TaskResourceRequests wholeExecutor = new TaskResourceRequests().cpus(cores.getAsInt());
    if (assigned) {
      wholeExecutor.resource("gpu", gpus);
    }
    ResourceProfile profile = new ResourceProfileBuilder().require(wholeExecutor).build();
    return stage.withResources(profile);
  }
}
