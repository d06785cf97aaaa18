package dev.anneal.spark.fetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.hub.HubEnvironment;
import dev.anneal.data.hub.HubProxies;
import dev.anneal.data.hub.HubRepository;
import dev.anneal.data.hub.HubSelection;
import dev.anneal.spark.Anneal;
import dev.anneal.spark.AnnealSession;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.progress.ProgressDisplay.Medium;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Models of the hub as those of runs. */
class HubModelTest {
  private static final Path CONF = Path.of(System.getProperty("anneal.home"), "conf");

  @TempDir Path dir;
  private HubServer server;

  @BeforeEach
  void start() throws IOException {
    server = new HubServer();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  @Test
  void isFetchedOnceByTwoRunsAtATime() throws Exception {
    server.large("model.safetensors", new byte[500_000]).slow(20);
    List<CompletableFuture<FetchTarget>> runs =
        Stream.of(1, 2).map(run -> CompletableFuture.supplyAsync(() -> fetch("main"))).toList();
    for (CompletableFuture<FetchTarget> run : runs) {
      assertThat(Path.of(run.get().display(), "model.safetensors")).hasSize(500_000);
    }
    assertThat(server.contents()).hasSize(5);
    assertThat(fetch("main").location())
        .isEqualTo("file:" + dir.resolve("cache/org--name/" + HubServer.COMMIT));
  }

  @Test
  void isFoundAgainOffline() throws Exception {
    server.large("model.safetensors", new byte[5]);
    assertThatThrownBy(() -> model("main", true).fetch(null, HubSelection.ALL, settings(), said()))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("HF_HUB_OFFLINE is set");
    fetch("main");
    server.close();
    assertThat(model("main", true).fetch(null, HubSelection.ALL, settings(), said()).location())
        .endsWith(HubServer.COMMIT);
    assertThat(fetch(HubServer.COMMIT).location()).endsWith(HubServer.COMMIT);
  }

  @Test
  void isTheModelOfARunAndSoIsWhatTheSessionFetches() throws IOException {
    try (Stream<Path> files = Files.list(CONF.resolve("tiny/model"))) {
      for (Path file : files.toList()) {
        if (file.toString().endsWith(".safetensors")) {
          server.large(file.getFileName().toString(), Files.readAllBytes(file));
        } else {
          server.small(file.getFileName().toString(), Files.readString(file));
        }
      }
    }
    Map<String, Object> config =
        Map.of(
            "data.source",
            CONF.resolve("tiny/instructions.json").toString(),
            "data.format",
            "alpaca",
            "data.max_length",
            128,
            "model.path",
            "hub:org/name@main",
            "output.path",
            dir.resolve("out").toString());
    try (SparkSession spark = session()) {
      AnnealSession anneal = Anneal.on(spark).printTo(new PrintWriter(new StringWriter()));
      assertThat(anneal.prep(config).train().rows()).isEqualTo(320);
      assertThat(dir.resolve("cache/org--name/" + HubServer.COMMIT))
          .isDirectoryContaining("glob:**tokenizer.json")
          .isDirectoryNotContaining("glob:**.safetensors");

      FetchResult fetched =
          anneal.fetch(
              FetchRequest.model("org/name", dir.resolve("whole").toString()).exclude("*.md"));
      assertThat(fetched.location()).isEqualTo(dir.resolve("whole").toString());
      assertThat(dir.resolve("whole")).isDirectoryContaining("glob:**.safetensors");
      assertThatThrownBy(
              () -> anneal.fetch(FetchRequest.model("org/other", dir.resolve("x").toString())))
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("The model 'org/other'");
      assertThatThrownBy(
              () ->
                  anneal
                      .overwrite()
                      .prep(
                          Map.of(
                              "data.source", "x.json",
                              "model.path", "hub:datasets/org/name",
                              "output.path", dir.resolve("out2").toString())))
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("is not a model of the hub: write hub:ORG/NAME");
    }
  }

  private SparkSession session() {
    return SparkSession.builder()
        .master("local[1]")
        .config("spark.ui.enabled", false)
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.hadoop.anneal.hub.endpoint", server.endpoint().toString())
        .config("spark.hadoop." + HubModel.CACHE_KEY, dir.resolve("cache").toString())
        .getOrCreate();
  }

  private FetchTarget fetch(String revision) {
    try {
      return model(revision, false).fetch(null, HubSelection.ALL, settings(), said());
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private HubModel model(String revision, boolean offline) {
    Storage storage = new Storage(new Configuration());
    return new HubModel(
        new HubRepository(HubRepository.Type.MODEL, "org/name"),
        revision,
        FetchTarget.of(dir.resolve("cache").toString(), storage),
        new HubEnvironment(
            server.endpoint(), null, new HubProxies(null, null, List.of()), offline));
  }

  private static FetchSettings settings() {
    return new FetchSettings(FetchTest.PATIENCE, 100_000);
  }

  private static FetchProgress said() {
    return new FetchProgress(new PrintWriter(new StringWriter()), Medium.FILE, System::nanoTime);
  }
}
