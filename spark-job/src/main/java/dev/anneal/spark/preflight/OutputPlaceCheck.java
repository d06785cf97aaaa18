package dev.anneal.spark.preflight;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.DeployMode;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import org.apache.spark.SparkConf;

/** Whether what a driver in the cluster writes can be found again. */
public final class OutputPlaceCheck {
  private OutputPlaceCheck() {}

  /**
   * Refuses a place that is lost with the driver.
   *
   * @param name what the user calls it
   */
  public static void check(String name, RunFolder folder, SparkConf spark) {
    if (DeployMode.of(spark) == DeployMode.CLUSTER
        && !Slots.isOneMachine(spark)
        && folder.isLocal()
        && isLost(folder.display(), spark)) {
      throw new BadRequestException(
          "%s %s lies on the machine that the cluster has chosen for the driver, where nobody finds it: choose a place that every machine reaches, as hdfs:, s3a: or a mounted share."
              .formatted(name, folder.display()));
    }
  }

  private static boolean isLost(String location, SparkConf spark) {
    try {
      Mount mount = Mount.of(Path.of(location));
      // what is mounted into a pod is a volume, of whatever type: an emptyDir looks no different
      return Slots.master(spark).startsWith("k8s") ? mount.isRoot() : mount.isOfOneMachine();
    } catch (IOException | InvalidPathException e) {
      // whether it can be written is another check's question
      return false;
    }
  }
}
