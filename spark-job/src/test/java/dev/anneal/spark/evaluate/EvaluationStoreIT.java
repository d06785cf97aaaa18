package dev.anneal.spark.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.Anneal;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.s3.S3Server;
import dev.anneal.spark.s3.StoreConfiguration;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Model, adapter, rows and output on a real S3 server. */
class EvaluationStoreIT {
  private static final Path GOLDEN =
      Path.of(System.getProperty("anneal.shared"), "golden", "tiny-llama31").normalize();
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  @Test
  void givesWhatLocalFoldersGive() throws Exception {
    assumeTrue(Files.isDirectory(GOLDEN), () -> "no reference data at " + GOLDEN);
    try (S3Server server = S3Server.start(folder)) {
      Storage storage = new Storage(StoreConfiguration.hadoop(server.endpoint()));
      for (String place : new String[] {"model", "adapter_final"}) {
        copy(GOLDEN.resolve(place), place, storage);
      }
      storage.write(
          S3Server.uri("rows.jsonl"), out -> Files.copy(GOLDEN.resolve("rows.jsonl"), out));
      try (SparkSession spark = session(server)) {
        EvaluationResult local =
            evaluate(spark, GOLDEN.toString(), folder.resolve("out").toString(), 1);
        EvaluationResult stored =
            evaluate(spark, "s3a://" + S3Server.BUCKET, S3Server.uri("out"), 2);
        assertThat(stored.all()).isEqualTo(local.all());
        assertThat(stored.output()).isEqualTo(S3Server.uri("out"));
        assertThat(storage.list(S3Server.uri("out/*")))
            .extracting(file -> file.uri().replaceFirst(".*/", ""))
            .containsExactlyInAnyOrder("evaluation.html", "evaluation.json");
        assertThat(storage.list(S3Server.uri("out/_evaluation-*"))).isEmpty();
        try (InputStream in = storage.open(S3Server.uri("out/evaluation.json"))) {
          JsonNode json = JSON.readTree(in.readAllBytes());
          JsonNode ofLocal = JSON.readTree(folder.resolve("out/evaluation.json").toFile());
          assertThat(json.at("/data/sha256")).isEqualTo(ofLocal.at("/data/sha256"));
          assertThat(json.at("/model/fingerprint")).isEqualTo(ofLocal.at("/model/fingerprint"));
          assertThat(json.at("/adapter/path").textValue()).isEqualTo(S3Server.uri("adapter_final"));
        }
        assertThatThrownBy(
                () -> evaluate(spark, "s3a://" + S3Server.BUCKET, S3Server.uri("out"), 1))
            .isInstanceOf(BadRequestException.class)
            .hasMessageContaining("already holds an evaluation");
      }
    }
  }

  private static EvaluationResult evaluate(
      SparkSession spark, String root, String output, int nodes) {
    Map<String, Object> options = new HashMap<>();
    options.put("model", root + "/model");
    options.put("adapter", root + "/adapter_final");
    options.put("data", root + "/rows.jsonl");
    options.put("data.format", "tokenized");
    options.put("data.limit", 9);
    options.put("batch_size", 2);
    options.put("cluster.nodes", nodes);
    options.put("output", output);
    return Anneal.on(spark).printTo(new PrintWriter(new StringWriter())).evaluate(options);
  }

  private static SparkSession session(S3Server server) {
    SparkSession.Builder builder =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", false)
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.hadoop.fs.s3a.access.key", "anyone")
            .config("spark.hadoop.fs.s3a.secret.key", "x");
    StoreConfiguration.of(server.endpoint())
        .forEach((key, value) -> builder.config("spark.hadoop." + key, value));
    return builder.getOrCreate();
  }

  private static void copy(Path from, String to, Storage storage) throws IOException {
    try (Stream<Path> files = Files.list(from)) {
      for (Path file : files.toList()) {
        storage.write(S3Server.uri(to + "/" + file.getFileName()), out -> Files.copy(file, out));
      }
    }
  }
}
