package dev.anneal.spark.faults;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** What a run has left in its output folder. */
public record RunOutput(Path folder) implements Output {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration PATIENCE = Duration.ofMinutes(1);

  /** Copies what is looked at of a run's output elsewhere into {@code folder}. */
  public static RunOutput copyOf(Storage storage, String location, Path folder) throws IOException {
    Files.createDirectories(folder.resolve("adapter"));
    for (String file :
        List.of(
            "run.json",
            "metrics.jsonl",
            "adapter/adapter_config.json",
            "adapter/adapter_model.safetensors")) {
      try (InputStream in = storage.open(location + "/" + file)) {
        Files.copy(in, folder.resolve(file));
      }
    }
    return new RunOutput(folder);
  }

  @Override
  public String location() {
    return folder.toString();
  }

  /** Waits until the checkpoint after {@code step} steps is complete. */
  void awaitCheckpoint(int step) throws Exception {
    Path manifest =
        folder.resolve(String.format(Locale.ROOT, "checkpoints/step-%08d/manifest.json", step));
    Await.until(PATIENCE, () -> "no " + manifest, () -> Files.exists(manifest));
  }

  /** The step after which the last complete checkpoint was taken. */
  int lastCheckpoint() throws IOException {
    try (Stream<Path> steps = Files.list(folder.resolve("checkpoints"))) {
      return steps
          .filter(step -> Files.exists(step.resolve("manifest.json")))
          .mapToInt(step -> Integer.parseInt(step.getFileName().toString().substring(5)))
          .max()
          .orElseThrow();
    }
  }

  /** What {@code rank} has written of the checkpoint after {@code step} steps. */
  Path rankFile(int step, int rank) throws IOException {
    String name = String.format(Locale.ROOT, "rank-%05d-of-", rank);
    try (Stream<Path> files =
        Files.walk(folder.resolve(String.format(Locale.ROOT, "checkpoints/step-%08d", step)))) {
      return files
          .filter(file -> file.getFileName().toString().startsWith(name))
          .findFirst()
          .orElseThrow();
    }
  }

  public JsonNode record() throws IOException {
    return JSON.readTree(folder.resolve("run.json").toFile());
  }

  /** The lines of {@code metrics.jsonl} without what depends on the hour. */
  List<String> metrics() throws IOException {
    List<String> lines = new ArrayList<>();
    for (String line : Files.readAllLines(folder.resolve("metrics.jsonl"))) {
      ObjectNode numbers = (ObjectNode) JSON.readTree(line);
      numbers.remove(List.of("tokens_per_second", "peak_memory_bytes"));
      numbers.properties().removeIf(number -> number.getKey().endsWith("_ms"));
      lines.add(numbers.toString());
    }
    return lines;
  }

  /** Asserts that a run has succeeded with the numbers of another one, bit for bit. */
  public void assertSameAs(RunOutput undisturbed) throws IOException {
    assertSameNumbersAs(undisturbed);
    assertSameFile("adapter/adapter_config.json", undisturbed);
  }

  /** The same for another one that has the model elsewhere, which is in the adapter's settings. */
  public void assertSameNumbersAs(RunOutput undisturbed) throws IOException {
    assertThat(record().path("state").asText()).isEqualTo("succeeded");
    assertThat(metrics()).isEqualTo(undisturbed.metrics());
    assertSameFile("adapter/adapter_model.safetensors", undisturbed);
    assertThat(folder.resolve("_attempts")).doesNotExist();
  }

  private void assertSameFile(String file, RunOutput undisturbed) {
    assertThat(folder.resolve(file)).hasSameBinaryContentAs(undisturbed.folder().resolve(file));
  }

  /** Asserts that a run has succeeded and has published an adapter. */
  public void assertPublished() throws IOException {
    assertThat(record().path("state").asText()).isEqualTo("succeeded");
    assertThat(folder.resolve("adapter/adapter_model.safetensors")).isNotEmptyFile();
  }

  /** Asserts that every complete checkpoint holds what its manifest says. */
  void assertComplete() throws IOException {
    int checked = 0;
    try (Stream<Path> files = Files.walk(folder.resolve("checkpoints"))) {
      for (Path manifest : files.filter(file -> file.endsWith("manifest.json")).toList()) {
        for (JsonNode file : JSON.readTree(manifest.toFile()).path("files")) {
          Path written = manifest.resolveSibling(file.path("name").asText());
          assertThat(sha256(written)).isEqualTo(file.path("sha256").asText());
          checked++;
        }
      }
    }
    assertThat(checked).isPositive();
  }

  private static String sha256(Path file) throws IOException {
    try {
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file));
      return HexFormat.of().formatHex(digest);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Asserts that the data set has the files of another one, bit for bit. */
  void assertSameDatasetAs(RunOutput undisturbed) throws IOException {
    Path dataset = folder.resolve("dataset");
    assertThat(names(dataset)).isEqualTo(names(undisturbed.folder().resolve("dataset")));
    for (String file : names(dataset)) {
      assertThat(dataset.resolve(file))
          .hasSameBinaryContentAs(undisturbed.folder().resolve("dataset").resolve(file));
    }
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  /** Asserts that a run has failed with this error and has published nothing. */
  public void assertFailed(String error) throws IOException {
    assertThat(record().path("state").asText()).isEqualTo("failed");
    assertThat(record().path("error").asText()).matches(error);
    assertThat(folder.resolve("adapter")).doesNotExist();
  }
}
