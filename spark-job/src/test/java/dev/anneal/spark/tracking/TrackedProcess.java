package dev.anneal.spark.tracking;

import dev.anneal.spark.Anneal;
import dev.anneal.spark.LocalSpark;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.spark.sql.SparkSession;

/** A run in a process that a test may kill: KEY=VALUE pairs over the tiny recipe on one rank. */
public final class TrackedProcess {
  private TrackedProcess() {}

  public static void main(String[] args) throws Exception {
    Map<String, Object> config = new HashMap<>(Map.of("cluster.nodes", 1));
    for (String arg : args) {
      int equals = arg.indexOf('=');
      config.put(arg.substring(0, equals), value(arg.substring(equals + 1)));
    }
    Path recipe = Path.of(System.getProperty("anneal.home"), "conf/tiny.yaml");
    try (SparkSession spark = LocalSpark.session(1)) {
      Anneal.on(spark).run(recipe.toString(), config);
    }
  }

  private static Object value(String text) {
    if (text.matches("\\d+")) {
      return Long.valueOf(text);
    }
    return text.equals("true") ? (Object) true : text;
  }
}
