package dev.anneal.spark.loader;

import dev.anneal.data.DatasetManifest;
import dev.anneal.spark.Anneal;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Serializable;
import java.io.Writer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
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
        System.out.println(prepared(spark, settings));
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

  private static String prepared(SparkSession spark, String settings) {
    try {
      DatasetManifest dataset = Anneal.on(spark).printTo(nowhere()).prep(config(settings));
      return "prepared: " + dataset.train().rows() + " and " + dataset.eval().rows();
    } catch (BadRequestException e) {
      return "refused: " + e.getMessage();
    } catch (JobFailedException e) {
      return "stopped: " + e.getMessage();
    }
  }

  private static PrintWriter nowhere() {
    return new PrintWriter(Writer.nullWriter());
  }

  private static Map<String, Object> config(String settings) {
    return Arrays.stream(settings.split(";"))
        .map(setting -> setting.split("=", 2))
        .collect(
            Collectors.toMap(
                setting -> setting[0],
                setting -> setting[1].matches("\\d+") ? Long.valueOf(setting[1]) : setting[1],
                (first, last) -> last));
  }
}
