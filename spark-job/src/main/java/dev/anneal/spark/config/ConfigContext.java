package dev.anneal.spark.config;

import dev.anneal.spark.storage.ObjectStoreDefaults;
import java.nio.file.Path;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.deploy.SparkHadoopUtil;
import org.apache.spark.sql.SparkSession;

/**
 * What a configuration is read in.
 *
 * @param workingFolder what relative paths are relative to
 * @param spark what {@code ${conf:spark.some.key}} is looked up in
 * @param hadoop how files are reached that are not local; asked for where it is needed
 * @param environment the value of an environment variable, {@code null} where it is not set
 */
public record ConfigContext(
    Path workingFolder,
    SparkConf spark,
    Supplier<Configuration> hadoop,
    UnaryOperator<String> environment) {

  /** This process before it has a session: what {@code spark-submit} has set. */
  public static ConfigContext ofProcess() {
    SparkConf spark = ObjectStoreDefaults.addTo(new SparkConf());
    return new ConfigContext(
        Path.of("").toAbsolutePath(),
        spark,
        () -> SparkHadoopUtil.get().newConfiguration(spark),
        System::getenv);
  }

  /** An application's session. */
  public static ConfigContext of(SparkSession session) {
    return new ConfigContext(
        Path.of("").toAbsolutePath(),
        session.sparkContext().getConf(),
        session.sparkContext()::hadoopConfiguration,
        System::getenv);
  }

  /** The same in another folder. */
  public ConfigContext in(Path folder) {
    return new ConfigContext(folder, spark, hadoop, environment);
  }
}
