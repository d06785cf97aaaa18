package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs whose processes prove themselves to one another and encrypt what they say over RPC. */
@Tag("faults")
class EncryptedIT {
  private static final String PASSWORD = "passw0rd";

  @TempDir Path folder;

  @Test
  void trainsOverSparksOwnEncryption() throws Exception {
    assertTrains("spark.network.crypto.enabled=true");
  }

  @Test
  void trainsOverTls() throws Exception {
    Path store = keyStore();
    assertTrains(
        "spark.ssl.enabled=true",
        "spark.ssl.rpc.enabled=true",
        "spark.ssl.protocol=TLSv1.3",
        "spark.ssl.keyStore=" + store,
        "spark.ssl.keyStorePassword=" + PASSWORD,
        "spark.ssl.keyPassword=" + PASSWORD,
        "spark.ssl.trustStore=" + store,
        "spark.ssl.trustStorePassword=" + PASSWORD);
  }

  private void assertTrains(String... settings) throws Exception {
    List<String> words =
        new ArrayList<>(List.of("run", "--config", SubmittedJob.recipe().toString()));
    Stream.concat(
            Stream.of("spark.authenticate=true", "spark.authenticate.secret=of-this-run-4242"),
            Stream.of(settings))
        .forEach(setting -> words.addAll(List.of("--conf", setting)));
    words.addAll(List.of("--set", "training.max_steps=3", "--set", "output.path=out"));
    try (SubmittedJob job = SubmittedJob.start(folder, words.toArray(String[]::new))) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
    }
    assertThat(folder.resolve("out/adapter/adapter_model.safetensors")).exists();
  }

  private Path keyStore() throws Exception {
    Path store = folder.resolve("keys.jks");
    List<String> command =
        List.of(
            Path.of(System.getProperty("java.home"), "bin/keytool").toString(),
            "-genkeypair",
            "-alias",
            "node",
            "-keyalg",
            "RSA",
            "-dname",
            "CN=localhost",
            "-ext",
            "san=ip:127.0.0.1,dns:localhost",
            "-validity",
            "2",
            "-storepass",
            PASSWORD,
            "-keypass",
            PASSWORD,
            "-keystore",
            store.toString());
    assertThat(new ProcessBuilder(command).inheritIO().start().waitFor()).isZero();
    return store;
  }
}
