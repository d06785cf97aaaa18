package dev.anneal.spark;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.s3.CredentialsService;
import dev.anneal.spark.s3.FaultyStore;
import dev.anneal.spark.s3.S3Server;
import dev.anneal.spark.s3.StoreConfiguration;
import dev.anneal.spark.s3.StoreRequest;
import dev.anneal.spark.s3.StoreRequest.Fate;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whole runs with model, data and output on a real S3 server that is well or not. */
class ObjectStoreIT {
  private static final String ADAPTER = "adapter/adapter_model.safetensors";
  private static final String ACCESS_KEY = "a-key";
  private static final String SECRET = "a-secret-" + CredentialsService.SECRET;

  @TempDir static Path folder;

  private static S3Server server;
  private static FaultyStore store;
  private static Storage storage;

  /** The adapter of a run on local files. */
  private static byte[] expected;

  @BeforeAll
  static void start() throws Exception {
    server = S3Server.start(folder);
    store = FaultyStore.before(server);
    storage = new Storage(StoreConfiguration.hadoop(server.endpoint()));
    Path recipe = SubmittedJob.recipe().resolveSibling("tiny");
    copy(recipe.resolve("instructions.json"), "tiny/instructions.json");
    try (Stream<Path> files = Files.list(recipe.resolve("model"))) {
      for (Path file : files.toList()) {
        copy(file, "tiny/model/" + file.getFileName());
      }
    }
    try (SubmittedJob job =
        SubmittedJob.start(folder, command("run", List.of("output.path=local")))) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
    }
    expected = Files.readAllBytes(folder.resolve("local").resolve(ADAPTER));
  }

  @AfterAll
  static void stop() throws IOException {
    store.close();
    server.close();
  }

  @BeforeEach
  void beWell() {
    store.renew();
    store.failing(0);
    store.breaking(0);
    store.delaying(Duration.ZERO);
    store.limiting(Long.MAX_VALUE);
    store.forget();
  }

  @Test
  void aRunTellsItsCredentialsToNobodyAndGetsNewOnesOnTheWay() throws Exception {
    try (CredentialsService credentials = CredentialsService.start();
        SubmittedJob job =
            SubmittedJob.start(
                folder, credentials.environment(), onStore("run", "renewed", "--debug"))) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(job.everythingSaid()).doesNotContain(CredentialsService.SECRET);
    }
    assertThat(read("renewed/" + ADAPTER)).isEqualTo(expected);
    assertThat(text(read("renewed/run.json"))).doesNotContain(CredentialsService.SECRET);
    assertThat(store.requests().stream().map(StoreRequest::accessKey).distinct())
        .hasSizeGreaterThan(3)
        .allMatch(key -> key.startsWith("renewed-"));
    assertThat(store.operations(any -> true)).doesNotContainKey("CopyObject");
  }

  @Test
  void aStoreThatFailsNowAndThenGivesTheSameAdapter() throws Exception {
    store.failing(0.05);
    store.breaking(0.02);
    assertTrainsTheSame("failing");
    assertThat(store.fates()).containsKeys(Fate.THROTTLED, Fate.BROKEN);
  }

  @Test
  @Tag("faults")
  void aSlowStoreGivesTheSameAdapter() throws Exception {
    store.delaying(Duration.ofMillis(40));
    store.limiting(4_000_000);
    assertTrainsTheSame("slow");
  }

  @Test
  @Tag("faults")
  void credentialsThatExpireForGoodEndTheRunWithASentence() throws Exception {
    List<String> more = new ArrayList<>(List.of(staticCredentials()));
    // more steps than the key lives for
    more.addAll(List.of("--set", "training.max_steps=200"));
    String[] words = onStore("run", "expired", more.toArray(String[]::new));
    try (SubmittedJob job = SubmittedJob.start(folder, words)) {
      job.awaitOutput(" 1/200 ");
      store.expire(ACCESS_KEY);
      assertThat(job.await()).as(job.out() + job.err()).isEqualTo(1);
      assertThat(job.err().lines())
          .singleElement()
          .asString()
          .startsWith("anneal: The credentials for the object store have expired");
      assertThat(job.everythingSaid()).doesNotContain(SECRET);
    }
    assertThat(storage.exists(S3Server.uri("expired/" + ADAPTER))).isFalse();
  }

  private static void assertTrainsTheSame(String output) throws Exception {
    Path events = Files.createDirectory(folder.resolve("events-" + output));
    List<String> more = new ArrayList<>(List.of(staticCredentials()));
    more.addAll(List.of("--conf", "spark.eventLog.enabled=true"));
    more.addAll(List.of("--conf", "spark.eventLog.dir=" + events.toUri()));
    // to be searched as it is
    more.addAll(List.of("--conf", "spark.eventLog.compress=false"));
    String[] words = onStore("run", output, more.toArray(String[]::new));
    try (SubmittedJob job = SubmittedJob.start(folder, words)) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(job.everythingSaid()).doesNotContain(SECRET);
    }
    assertThat(read(output + "/" + ADAPTER)).isEqualTo(expected);
    assertThat(text(read(output + "/run.json"))).doesNotContain(SECRET);
    try (Stream<Path> files = Files.walk(events)) {
      assertThat(files.filter(Files::isRegularFile))
          .isNotEmpty()
          .allSatisfy(file -> assertThat(text(Files.readAllBytes(file))).doesNotContain(SECRET));
    }
  }

  private static String[] staticCredentials() {
    return new String[] {
      "--conf", "spark.hadoop.fs.s3a.access.key=" + ACCESS_KEY,
      "--conf", "spark.hadoop.fs.s3a.secret.key=" + SECRET
    };
  }

  private static String text(byte[] bytes) {
    return new String(bytes, ISO_8859_1);
  }

  private static String[] onStore(String command, String output, String... more) {
    List<String> sets =
        List.of(
            "model.path=" + S3Server.uri("tiny/model"),
            "data.source=" + S3Server.uri("tiny/instructions.json"),
            "output.path=" + S3Server.uri(output));
    List<String> args = new ArrayList<>(List.of(command(command, sets)));
    StoreConfiguration.of(store.endpoint())
        .forEach(
            (key, value) -> args.addAll(List.of("--conf", "spark.hadoop." + key + "=" + value)));
    args.addAll(List.of(more));
    return args.toArray(String[]::new);
  }

  private static String[] command(String command, List<String> sets) {
    List<String> args =
        new ArrayList<>(List.of(command, "--config", SubmittedJob.recipe().toString()));
    List<String> all = new ArrayList<>(List.of("training.max_steps=6", "data.eval_rows=0"));
    all.addAll(sets);
    all.forEach(set -> args.addAll(List.of("--set", set)));
    return args.toArray(String[]::new);
  }

  private static void copy(Path file, String key) throws IOException {
    storage.write(S3Server.uri(key), out -> Files.copy(file, out));
  }

  private static byte[] read(String key) throws IOException {
    try (InputStream in = storage.open(S3Server.uri(key))) {
      return in.readAllBytes();
    }
  }
}
