package dev.anneal.spark.faults;

import dev.anneal.spark.s3.FaultyStore;
import dev.anneal.spark.s3.S3Server;
import dev.anneal.spark.s3.StoreConfiguration;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * A run's output on an object store.
 *
 * @param store what the run sees
 * @param server what the test sees, whatever becomes of the way there
 * @param accessKey the run's
 */
record StoreOutput(FaultyStore store, S3Server server, String key, String accessKey)
    implements Output {
  private static final Duration PATIENCE = Duration.ofMinutes(1);

  @Override
  public String location() {
    return S3Server.uri(key);
  }

  /** Options for {@code submit.sh} that let a run write there. */
  String[] options() {
    List<String> options = new ArrayList<>();
    StoreConfiguration.of(store.endpoint())
        .forEach((name, value) -> options.addAll(conf(name, value)));
    options.addAll(conf("fs.s3a.access.key", accessKey));
    options.addAll(conf("fs.s3a.secret.key", "any"));
    return options.toArray(String[]::new);
  }

  private static List<String> conf(String name, String value) {
    return List.of("--conf", "spark.hadoop.%s=%s".formatted(name, value));
  }

  /** Waits until the checkpoint after {@code step} steps is complete. */
  void awaitCheckpoint(int step) throws Exception {
    String manifest =
        S3Server.uri(
            String.format(Locale.ROOT, "%s/checkpoints/step-%08d/manifest.json", key, step));
    Storage storage = storage();
    Await.until(PATIENCE, () -> "no " + manifest, () -> storage.exists(manifest));
  }

  /** Whether a file is there. */
  boolean has(String file) throws IOException {
    return storage().exists(S3Server.uri(key + "/" + file));
  }

  /** Copies what {@link RunOutput} looks at. */
  RunOutput copyTo(Path folder) throws IOException {
    return RunOutput.copyOf(storage(), location(), folder);
  }

  private Storage storage() {
    return new Storage(StoreConfiguration.hadoop(server.endpoint()));
  }
}
