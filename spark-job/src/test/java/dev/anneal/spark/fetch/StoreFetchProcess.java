package dev.anneal.spark.fetch;

import dev.anneal.data.hub.HubEnvironment;
import dev.anneal.spark.progress.ProgressDisplay.Medium;
import dev.anneal.spark.s3.StoreConfiguration;
import dev.anneal.spark.session.CallersSession;
import dev.anneal.storage.Storage;
import java.io.PrintWriter;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import org.apache.spark.sql.SparkSession;

/**
 * A driver with two executor processes of its own, which fetches to a store: endpoint of the hub,
 * endpoint of the store, output, bytes of a part.
 */
final class StoreFetchProcess {
  private StoreFetchProcess() {}

  public static void main(String[] args) throws Exception {
    FetchProgress progress =
        new FetchProgress(
            new PrintWriter(System.out, true, StandardCharsets.UTF_8),
            Medium.FILE,
            System::nanoTime);
    try (SparkSession spark =
            SparkSession.builder()
                .master("local-cluster[2,1,1024]")
                .config("spark.executor.memory", "512m")
                .config("spark.ui.enabled", false)
                .config("spark.executor.extraClassPath", System.getProperty("java.class.path"))
                .getOrCreate();
        CallersSession session = new CallersSession(spark)) {
      new Fetch(
              FetchRequest.model("org/name", args[2]),
              HubEnvironment.of(URI.create(args[0]), null),
              new FetchSettings(FetchTest.PATIENCE, Long.parseLong(args[3])),
              progress)
          .to(new Storage(StoreConfiguration.hadoop(URI.create(args[1]))), session);
    }
  }
}
