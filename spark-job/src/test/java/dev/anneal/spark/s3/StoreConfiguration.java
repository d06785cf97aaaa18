package dev.anneal.spark.s3;

import dev.anneal.spark.storage.ObjectStoreDefaults;
import java.net.URI;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.deploy.SparkHadoopUtil;

/** What S3A has to be told to talk to a store of the tests. */
public final class StoreConfiguration {
  private StoreConfiguration() {}

  /** The settings without credentials, by key. */
  public static Map<String, String> of(URI endpoint) {
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("fs.s3a.endpoint", endpoint.toString());
    settings.put("fs.s3a.endpoint.region", "us-east-1");
    settings.put("fs.s3a.path.style.access", "true");
    settings.put("fs.s3a.connection.ssl.enabled", "false");
    return settings;
  }

  /** Hadoop's configuration as the driver has it, with an access key. */
  public static Configuration hadoop(URI endpoint) {
    SparkConf spark = ObjectStoreDefaults.addTo(new SparkConf(false));
    of(endpoint).forEach((key, value) -> spark.set("spark.hadoop." + key, value));
    spark
        .set("spark.hadoop.fs.s3a.access.key", "anyone")
        .set("spark.hadoop.fs.s3a.secret.key", "x");
    // a store of its own for every test
    spark.set("spark.hadoop.fs.s3a.impl.disable.cache", "true");
    return SparkHadoopUtil.get().newConfiguration(spark);
  }
}
