package dev.anneal.spark.generate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.spark.LocalSpark;
import dev.anneal.spark.generate.Commands.Executed;
import dev.anneal.spark.s3.S3Server;
import dev.anneal.spark.s3.StoreConfiguration;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Model, prompts and answers on a real S3 server. */
class GenerationStoreIT {
  private static final String MODEL = S3Server.uri("model");
  private static final String FIRST = "{\"id\": 1, \"prompt\": \"Sing.\"}\n";
  private static final String SECOND = "{\"id\": 2, \"prompt\": \"Say hello.\"}\n";

  @TempDir static Path folder;

  private static S3Server server;
  private static Storage storage;
  private static SparkSession spark;

  @BeforeAll
  static void start() throws Exception {
    server = S3Server.start(folder);
    Configuration conf = StoreConfiguration.hadoop(server.endpoint());
    storage = new Storage(conf);
    spark = LocalSpark.session(2);
    for (String key : StoreConfiguration.of(server.endpoint()).keySet()) {
      set(key, conf);
    }
    List.of("fs.s3a.access.key", "fs.s3a.secret.key", "fs.s3a.impl.disable.cache")
        .forEach(key -> set(key, conf));
    try (Stream<Path> files = Files.list(Path.of(Commands.MODEL))) {
      for (Path file : files.toList()) {
        storage.write(MODEL + "/" + file.getFileName(), out -> Files.copy(file, out));
      }
    }
  }

  private static void set(String key, Configuration conf) {
    spark.sparkContext().hadoopConfiguration().set(key, conf.get(key));
  }

  @AfterAll
  static void stop() {
    spark.stop();
    server.close();
  }

  @Test
  void goesOnThereAndGivesWhatALocalDiskGives() throws IOException {
    String prompts = S3Server.uri("prompts");
    write(prompts + "/a.jsonl", FIRST);
    String output = S3Server.uri("out/answers.jsonl");
    String work = S3Server.uri("out/.anneal-generate.answers.jsonl");
    AtomicBoolean cut = new AtomicBoolean();
    Executed first =
        Commands.generate(
            said -> {
              if (said.contains("Starting Spark") && cut.compareAndSet(false, true)) {
                write(output, "somebody else's");
              }
            },
            asked(prompts, output));
    assertThat(first.code()).isEqualTo(1);
    assertThat(first.err()).contains("has come to be meanwhile");
    assertThat(storage.exists(work)).isTrue();
    storage.delete(output);

    write(prompts + "/b.jsonl", SECOND);
    Executed again = Commands.generate(asked(prompts, output));
    assertThat(again.code()).as(again.err()).isZero();
    assertThat(again.err()).contains("Going on: 1 of 2 prompts are answered");
    assertThat(storage.exists(work)).isFalse();
    Path local = Files.writeString(folder.resolve("prompts.jsonl"), FIRST + SECOND);
    String expected = Commands.generate("--prompts", local.toString()).out();
    assertThat(read(output)).isEqualTo(expected);

    String parquet = S3Server.uri("out/answers.parquet");
    Executed rows = Commands.generate(asked(prompts, parquet));
    assertThat(rows.code()).as(rows.err()).isZero();
    assertThat(storage.exists(parquet + "/_SUCCESS")).isTrue();
    assertThat(storage.exists(S3Server.uri("out/.anneal-generate.answers.parquet"))).isFalse();
    List<String> texts =
        Commands.parse(expected).stream()
            .map((JsonNode line) -> line.get("text").textValue())
            .toList();
    assertThat(spark.read().parquet(parquet).select("text").collectAsList())
        .extracting(row -> row.getString(0))
        .isEqualTo(texts);
  }

  private static String[] asked(String prompts, String output) {
    return new String[] {"--model", MODEL, "--prompts", prompts, "--output", output};
  }

  private static void write(String location, String text) {
    try {
      storage.write(location, out -> out.write(text.getBytes(UTF_8)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String read(String location) throws IOException {
    try (InputStream in = storage.open(location)) {
      return new String(in.readAllBytes(), UTF_8);
    }
  }
}
