package dev.anneal.spark;

import org.apache.spark.sql.SparkSession;

/** Spark in the process of the tests, which no other machine reaches. */
public final class LocalSpark {
  private LocalSpark() {}

  /** A session whose driver has so many task slots; the one that there is already, if there is. */
  public static SparkSession session(int slots) {
    return here(slots).config("spark.ui.enabled", false).getOrCreate();
  }

  /** The same with Spark's pages, at a port that is free. */
  public static SparkSession.Builder withPages(int slots) {
    return here(slots).config("spark.ui.port", 0);
  }

  private static SparkSession.Builder here(int slots) {
    return SparkSession.builder()
        .master("local[%s]".formatted(slots))
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1");
  }
}
