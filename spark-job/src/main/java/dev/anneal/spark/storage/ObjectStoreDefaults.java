package dev.anneal.spark.storage;

import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;

/**
 * What S3A is set to where the user has set nothing, neither as {@code spark.hadoop.*} nor in
 * Hadoop's own files. The keys are those of {@code org.apache.hadoop.fs.s3a.Constants} 3.4.2.
 */
public final class ObjectStoreDefaults {
  private static final String SPARK_PREFIX = "spark.hadoop.";
  private static final String HADOOP_DEFAULTS = "core-default.xml";

  private static final Map<String, String> S3A =
      new TreeMap<>(
          Map.of(
              // parts of an upload wait in memory, not on a local disk that may be small or full
              "fs.s3a.fast.upload.buffer", "bytebuffer",
              // 10,000 parts make 320 GB; a file that is written takes at most 5 parts of memory
              "fs.s3a.multipart.size", "32M",
              "fs.s3a.fast.upload.active.blocks", "4",
              // waits double from 1 s, each by half to three halves of it: 2 to 6 minutes in all
              "fs.s3a.retry.limit", "8",
              "fs.s3a.retry.interval", "500ms",
              // a connection that nothing comes from is given up, and another one is tried
              "fs.s3a.connection.establish.timeout", "15s",
              "fs.s3a.connection.timeout", "60s"));

  private ObjectStoreDefaults() {}

  /** The configuration with what is missing in it. */
  public static SparkConf addTo(SparkConf given) {
    return addTo(given, new Configuration());
  }

  static SparkConf addTo(SparkConf given, Configuration hadoop) {
    SparkConf conf = given.clone();
    S3A.forEach(
        (key, value) -> {
          if (!isSetByUser(key, hadoop)) {
            conf.setIfMissing(SPARK_PREFIX + key, value);
          }
        });
    return conf;
  }

  /** A copy of Hadoop's configuration with what is missing in it, for a session that is there. */
  public static Configuration addTo(Configuration given) {
    Configuration hadoop = new Configuration(given);
    S3A.forEach(
        (key, value) -> {
          if (!isSetByUser(key, given)) {
            hadoop.set(key, value);
          }
        });
    return hadoop;
  }

  private static boolean isSetByUser(String key, Configuration hadoop) {
    String[] sources = hadoop.getPropertySources(key);
    return sources != null && !sources[sources.length - 1].equals(HADOOP_DEFAULTS);
  }
}
