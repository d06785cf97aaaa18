package dev.anneal.spark.fetch;

import dev.anneal.data.hub.HubEnvironment;
import dev.anneal.spark.progress.ProgressDisplay.Medium;
import dev.anneal.storage.Storage;
import java.io.PrintWriter;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.conf.Configuration;

/** A process that fetches and may be killed: endpoint, folder, bytes of a part. */
final class FetchProcess {
  private FetchProcess() {}

  public static void main(String[] args) throws Exception {
    FetchProgress progress =
        new FetchProgress(
            new PrintWriter(System.out, true, StandardCharsets.UTF_8),
            Medium.FILE,
            System::nanoTime);
    new Fetch(
            FetchRequest.model("org/name", args[1]),
            HubEnvironment.of(URI.create(args[0]), null),
            new FetchSettings(FetchTest.PATIENCE, Long.parseLong(args[2])),
            progress)
        .to(new Storage(new Configuration()), null);
  }
}
