package dev.anneal.spark.preflight;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.DeployMode;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import org.apache.spark.SparkConf;

/** Whether what a driver in the cluster writes can be found again. */
final class OutputPlaceCheck {
  /** File systems of one machine's disks and memory, as Linux names them; NFS and FUSE are not. */
  private static final Set<String> OF_ONE_MACHINE =
      Set.of("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "overlay", "tmpfs", "ramfs");

  private OutputPlaceCheck() {}

  static void check(RunFolder folder, SparkConf spark) {
    if (DeployMode.of(spark) == DeployMode.CLUSTER
        && !Slots.isOneMachine(spark)
        && folder.isLocal()
        && !isClaimed(folder.display(), spark)
        && isOfOneMachine(folder.display())) {
      throw new BadRequestException(
          "output.path %s lies on the machine that the cluster has chosen for the driver, where nobody finds it: choose a place that every machine reaches, as hdfs:, s3a: or a mounted share."
              .formatted(folder.display()));
    }
  }

  /** Whether Kubernetes mounts a persistent volume there into driver and executors. */
  private static boolean isClaimed(String location, SparkConf spark) {
    return isClaimed(location, spark, "driver") && isClaimed(location, spark, "executor");
  }

  private static boolean isClaimed(String location, SparkConf spark, String role) {
    String prefix = "spark.kubernetes.%s.volumes.persistentVolumeClaim.".formatted(role);
    return Arrays.stream(spark.getAllWithPrefix(prefix))
        .filter(setting -> setting._1().endsWith(".mount.path"))
        .anyMatch(setting -> Path.of(location).startsWith(setting._2()));
  }

  private static boolean isOfOneMachine(String location) {
    try {
      Path place = Path.of(location);
      while (!Files.exists(place)) {
        place = place.getParent();
      }
      return OF_ONE_MACHINE.contains(Files.getFileStore(place).type());
    } catch (IOException | InvalidPathException e) {
      // whether it can be written is another check's question
      return false;
    }
  }
}
