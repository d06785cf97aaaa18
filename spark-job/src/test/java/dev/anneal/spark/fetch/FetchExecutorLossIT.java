package dev.anneal.spark.fetch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.s3.S3Server;
import dev.anneal.spark.s3.StoreConfiguration;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An executor that is killed while it fetches costs the parts of its task and nothing else. */
class FetchExecutorLossIT {
  private static final int MIB = 1 << 20;
  private static final int FILES = 6;
  private static final byte[] CONTENT = new byte[15 * MIB];
  private static final Path HOME = Path.of(System.getProperty("anneal.home"));

  @TempDir Path dir;

  @Test
  void costsItsPartsOnly() throws Exception {
    new Random(5).nextBytes(CONTENT);
    try (S3Server store = S3Server.start(dir);
        HubServer hub = new HubServer()) {
      hub.small("config.json", "{}").slow(10);
      for (int i = 0; i < FILES; i++) {
        hub.large("model-%s.safetensors".formatted(i), CONTENT);
      }
      String output = S3Server.uri("model");
      Process driver = start(hub, store, output);
      try {
        // one that has just ended a file loses nothing
        await(driver, () -> hub.contents().size() >= 3 && hub.isInTheMiddleOf(2));
        executor(driver).orElseThrow().destroyForcibly();
        assertThat(driver.waitFor(2, TimeUnit.MINUTES)).isTrue();
        assertThat(driver.exitValue()).as(Files.readString(dir.resolve("log"))).isZero();
      } finally {
        driver.descendants().forEach(ProcessHandle::destroyForcibly);
        driver.destroyForcibly();
      }
      Storage storage = new Storage(StoreConfiguration.hadoop(store.endpoint()));
      for (int i = 0; i < FILES; i++) {
        assertThat(read(storage, output + "/model-%s.safetensors".formatted(i))).isEqualTo(CONTENT);
      }
      // a task has a file of three parts here: that of the lost executor came twice
      assertThat(hub.contents()).hasSize(FILES + 1 + 1);
    }
  }

  private Process start(HubServer hub, S3Server store, String output) throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-Xmx512m",
                "--add-opens=java.base/java.nio=ALL-UNNAMED",
                "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
                "--add-opens=java.base/java.lang=ALL-UNNAMED",
                "--add-opens=java.base/java.util=ALL-UNNAMED",
                "--add-opens=java.base/java.lang.invoke=ALL-UNNAMED",
                "--add-opens=java.base/java.net=ALL-UNNAMED",
                "-cp",
                System.getProperty(
                    "surefire.test.class.path", System.getProperty("java.class.path")),
                StoreFetchProcess.class.getName(),
                hub.endpoint().toString(),
                store.endpoint().toString(),
                output,
                "" + 5 * MIB)
            .directory(dir.toFile())
            .redirectErrorStream(true)
            .redirectOutput(dir.resolve("log").toFile());
    builder.environment().put("SPARK_HOME", HOME.resolve("spark-job/target/spark-home").toString());
    builder.environment().put("SPARK_SCALA_VERSION", "2.13");
    builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
    builder.environment().put("SPARK_WORKER_DIR", dir.resolve("work").toString());
    return builder.start();
  }

  private void await(Process driver, BooleanSupplier condition)
      throws InterruptedException, IOException {
    while (!condition.getAsBoolean()) {
      assertThat(driver.isAlive()).as(Files.readString(dir.resolve("log"))).isTrue();
      Thread.sleep(20);
    }
  }

  private static Optional<ProcessHandle> executor(Process driver) {
    return driver
        .descendants()
        .filter(process -> words(process).contains("CoarseGrainedExecutorBackend"))
        .findFirst();
  }

  // longer than what Java gives of a command
  private static String words(ProcessHandle process) {
    try {
      return Files.readString(Path.of("/proc/%s/cmdline".formatted(process.pid())));
    } catch (IOException gone) {
      return "";
    }
  }

  private static byte[] read(Storage storage, String location) throws IOException {
    try (InputStream in = storage.open(location)) {
      return in.readAllBytes();
    }
  }
}
