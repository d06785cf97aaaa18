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

  /** The same stage with tasks as large as an executor, where that is known. */
  public static <T> RDD<T> oneTaskPerExecutor(RDD<T> stage, SparkConf conf) {
    OptionalInt cores = Slots.executorCores(conf);
    if (cores.isEmpty() || cores.getAsInt() == conf.getInt("spark.task.cpus", 1)) {
      return stage;
    }
    ResourceProfile wholeExecutor =
        new ResourceProfileBuilder()
            .require(new TaskResourceRequests().cpus(cores.getAsInt()))
            .build();
    return stage.withResources(wholeExecutor);
  }
}
