package dev.anneal.spark.loader;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.prep.Preparation;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.spark.train.Specs;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;

/**
 * An application as a notebook or a job service makes it: its session was begun by a thread that
 * knows Spark alone, so the threads that read what tasks return know Spark alone.
 */
public final class HiddenClassesProbe {
  private HiddenClassesProbe() {}

  private record Ours(int number) implements Serializable {}

  /**
   * Says what becomes of a plain collect and of some preparations.
   *
   * @param args settings of a preparation each, separated by {@code ;}
   */
  public static void main(String[] args) throws IOException {
    Thread self = Thread.currentThread();
    ClassLoader own = self.getContextClassLoader();
    self.setContextClassLoader(SparkContext.class.getClassLoader());
    try (SparkSession spark = SparkSession.builder().getOrCreate()) {
      // Spark makes the threads that read results with the first of them
      JavaSparkContext.fromSparkContext(spark.sparkContext()).parallelize(List.of(1, 2)).count();
      self.setContextClassLoader(own);
      System.out.println("plain: " + collected(spark));
      for (String settings : args) {
        System.out.println(prepared(spark, List.of(settings.split(";"))));
      }
    }
  }

  private static String collected(SparkSession spark) {
    try {
      return JavaSparkContext.fromSparkContext(spark.sparkContext())
          .parallelize(new ArrayList<>(List.of(1, 2)))
          .map(Ours::new)
          .collect()
          .toString();
    } catch (Exception e) {
      return e.toString().lines().findFirst().orElseThrow();
    }
  }

  private static String prepared(SparkSession spark, List<String> settings) {
    try {
      AnnealConfig config = ConfigLoader.load(null, settings, Path.of("").toAbsolutePath());
      Storage storage = new Storage(spark.sparkContext().hadoopConfiguration());
      DatasetManifest dataset =
          new Preparation(Specs.prep(config, config.model().tokenizer()), storage).run(spark);
      return "prepared: " + dataset.train().rows() + " and " + dataset.eval().rows();
    } catch (InvalidDataException e) {
      return "refused: " + e.getMessage();
    } catch (UncheckedIOException e) {
      return "stopped: " + e.getMessage();
    }
  }
}
