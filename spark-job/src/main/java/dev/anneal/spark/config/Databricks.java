package dev.anneal.spark.config;

import java.util.function.Supplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;

/**
 * Paths that people on Databricks write plainly. Spark there reaches them through its file system
 * {@code dbfs:}, on every kind of cluster, but the files of a machine only where they are mounted
 * (<a href="https://docs.databricks.com/aws/en/files/">Work with files on Databricks</a>).
 */
final class Databricks {
  private static final String SCHEME = "dbfs";
  private static final String VOLUMES = "/Volumes/";
  private static final String MOUNT = "/dbfs";

  private Databricks() {}

  /** The location with its scheme, if it is such a path and this is Databricks. */
  static String resolve(String location, Supplier<Configuration> hadoop) {
    boolean isVolume = location.startsWith(VOLUMES);
    if (!isVolume && !location.startsWith(MOUNT + "/")) {
      return location;
    }
    if (!SCHEME.equals(FileSystem.getDefaultUri(hadoop.get()).getScheme())) {
      return location;
    }
    return SCHEME + ":" + (isVolume ? location : location.substring(MOUNT.length()));
  }
}
