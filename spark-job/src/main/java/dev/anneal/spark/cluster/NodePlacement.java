package dev.anneal.spark.cluster;

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
   * Spark assigns them and so tells the size of a task where cores do not. Only this stage asks for
   * GPUs: those before it run as wide as there are cores.
   */
  public static <T> RDD<T> oneTaskPerExecutor(RDD<T> stage, SparkConf conf, int gpus) {
    int taskCores = conf.getInt("spark.task.cpus", 1);
    int cores = Slots.executorCores(conf).orElse(taskCores);
    boolean assigned =
        gpus > 0 && !Slots.isLocal(conf) && conf.contains("spark.executor.resource.gpu.amount");
    if (!assigned && cores == taskCores) {
      return stage;
    }
    TaskResourceRequests wholeExecutor = new TaskResourceRequests().cpus(cores);
    if (assigned) {
      wholeExecutor.resource("gpu", gpus);
    }
    ResourceProfile profile = new ResourceProfileBuilder().require(wholeExecutor).build();
    return stage.withResources(profile);
  }
}
