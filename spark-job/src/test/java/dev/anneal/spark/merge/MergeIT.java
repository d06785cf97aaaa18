package dev.anneal.spark.merge;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.SubmittedJob;
import dev.anneal.spark.faults.Await;
import dev.anneal.spark.s3.FaultyStore;
import dev.anneal.spark.s3.S3Server;
import dev.anneal.spark.s3.StoreConfiguration;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The verb {@code merge} through {@code submit.sh}, on local disks and on an S3 server. */
class MergeIT {
  private static final Path GOLDEN =
      Path.of(System.getProperty("anneal.shared"), "golden", "tiny-llama31").normalize();
  private static final String SHARDS = "20KB";
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  private SubmittedJob merge(String model, String adapter, String output, String... more)
      throws IOException {
    List<String> args =
        new ArrayList<>(
            List.of("merge", "--model", model, "--adapter", adapter, "--output", output));
    args.addAll(List.of(more));
    return SubmittedJob.start(folder, args.toArray(String[]::new));
  }

  private SubmittedJob mergeGolden(String output, String... more) throws IOException {
    return merge(GOLDEN + "/model", GOLDEN + "/adapter_final", output, more);
  }

  private static void assertEnds(SubmittedJob job) throws Exception {
    assertThat(job.await()).as(job.out() + job.err()).isZero();
    assertThat(job.err()).isEmpty();
  }

  @Test
  void oneCommandMergesAndProvesIt() throws Exception {
    try (SubmittedJob job = mergeGolden("merged", "--verify")) {
      assertEnds(job);
      assertThat(job.out())
          .contains("parameters of " + GOLDEN + "/model", "Wrote ")
          .contains("Verified: one file as written", "likeliest tokens equal");
    }
    Path merged = folder.resolve("merged");
    assertThat(names(merged))
        .containsExactlyInAnyOrder(
            "config.json", "generation_config.json", "merge.json", "model.safetensors");
    assertThat(merged.resolve("config.json"))
        .hasSameTextualContentAs(GOLDEN.resolve("model/config.json"));
    JsonNode record = JSON.readTree(merged.resolve("merge.json").toFile());
    assertThat(record.path("state").asText()).isEqualTo("succeeded");
    assertThat(record.at("/files/0/bytes").asLong())
        .isEqualTo(Files.size(merged.resolve("model.safetensors")));

    try (SubmittedJob again = mergeGolden("merged")) {
      assertThat(again.await()).isEqualTo(2);
      assertThat(again.err()).contains("already holds a merged model", "--overwrite");
    }
    Files.writeString(merged.resolve("notes.txt"), "mine");
    try (SubmittedJob verified = mergeGolden("merged", "--verify")) {
      assertEnds(verified);
      assertThat(verified.out()).contains("one file as written").doesNotContain("Wrote ");
    }
    try (SubmittedJob fp8 = mergeGolden("merged", "--overwrite", "--dtype", "fp8", "--verify")) {
      assertEnds(fp8);
      assertThat(fp8.out()).contains("weights in fp8", "likeliest tokens equal");
    }
    assertThat(merged.resolve("config.json")).content().contains("compressed-tensors");
    assertThat(merged.resolve("notes.txt")).hasContent("mine");
  }

  /** Killed in the middle on an object store, the same command goes on to the same model. */
  @Test
  void goesOnWhereItWasKilled() throws Exception {
    try (S3Server server = S3Server.start(folder);
        FaultyStore store = FaultyStore.before(server)) {
      Storage storage = new Storage(StoreConfiguration.hadoop(server.endpoint()));
      copy(GOLDEN.resolve("model"), "base", storage);
      copy(GOLDEN.resolve("adapter_final"), "adapter", storage);
      List<String> more = new ArrayList<>(List.of("--max-shard-size", SHARDS));
      StoreConfiguration.of(store.endpoint())
          .forEach(
              (key, value) -> more.addAll(List.of("--conf", "spark.hadoop." + key + "=" + value)));
      more.addAll(List.of("--conf", "spark.hadoop.fs.s3a.access.key=a-key"));
      more.addAll(List.of("--conf", "spark.hadoop.fs.s3a.secret.key=a-secret"));
      String[] options = more.toArray(String[]::new);
      String output = S3Server.uri("merged");

      store.delaying(Duration.ofMillis(50));
      try (SubmittedJob job =
          merge(S3Server.uri("base"), S3Server.uri("adapter"), output, options)) {
        Await.until(
            Duration.ofMinutes(2),
            () -> "no piece is done: " + job.out() + job.err(),
            () -> storage.list(output + "/_merge").size() > 1 || !job.isRunning());
        assertThat(job.isRunning()).as(job.out() + job.err()).isTrue();
        job.driver().destroyForcibly();
        assertThat(job.await()).isNotZero();
      }
      assertThat(storage.exists(output + "/config.json")).isFalse();
      store.delaying(Duration.ZERO);
      try (SubmittedJob job =
          merge(S3Server.uri("base"), S3Server.uri("adapter"), output, options)) {
        assertEnds(job);
        assertThat(job.out()).containsPattern("Going on: \\d+ of the files are there");
      }
      try (SubmittedJob local = mergeGolden("local", "--max-shard-size", SHARDS)) {
        assertEnds(local);
      }
      assertThat(contents(output, storage))
          .isEqualTo(contents(folder.resolve("local").toUri() + "", storage));
    }
  }

  private static void copy(Path from, String to, Storage storage) throws IOException {
    try (Stream<Path> files = Files.list(from)) {
      for (Path file : files.toList()) {
        storage.write(S3Server.uri(to + "/" + file.getFileName()), out -> Files.copy(file, out));
      }
    }
  }

  /** Everything but the record, which has times. */
  private static Map<String, String> contents(String location, Storage storage) throws IOException {
    Map<String, String> contents = new TreeMap<>();
    for (Storage.FileInfo file : storage.list(location)) {
      String name = file.uri().substring(file.uri().lastIndexOf('/') + 1);
      if (!name.equals("merge.json")) {
        try (InputStream in = storage.open(file.uri())) {
          contents.put(name, new String(in.readAllBytes(), ISO_8859_1));
        }
      }
    }
    return contents;
  }

  private static List<String> names(Path place) throws IOException {
    try (Stream<Path> files = Files.list(place)) {
      return files.map(file -> file.getFileName().toString()).toList();
    }
  }
}
