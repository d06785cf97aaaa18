package dev.anneal.spark.fetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.hub.HubEnvironment;
import dev.anneal.data.hub.HubProxies;
import dev.anneal.data.hub.Patience;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.Request.Existing;
import dev.anneal.spark.progress.ProgressDisplay.Medium;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Fetching into a local folder from a server that speaks the hub's interface. */
class FetchTest {
  static final Patience PATIENCE = new Patience(3, Duration.ofMillis(20), Duration.ofSeconds(5));

  private static final int PART = 100_000;
  private static final byte[] WEIGHTS = new byte[1_050_000];
  private static final String OTHER_COMMIT = "f".repeat(40);

  static {
    new Random(7).nextBytes(WEIGHTS);
  }

  @TempDir Path dir;
  private final StringWriter said = new StringWriter();
  private HubServer server;
  private String token;

  @BeforeEach
  void start() throws IOException {
    server = new HubServer();
    server
        .small("config.json", "{\"model_type\":\"llama\"}")
        .small("empty.txt", "")
        .large("model-1.safetensors", WEIGHTS)
        .large("original/weights.pth", new byte[3 * PART])
        .small("tokenizer.json", "{}");
  }

  @AfterEach
  void stop() {
    server.close();
  }

  @Test
  void bringsAWholeModelAndWritesDownItsCommit() throws IOException {
    FetchResult result = fetch(model());

    assertThat(result.commit()).isEqualTo(HubServer.COMMIT);
    assertThat(result.files()).isEqualTo(5);
    assertThat(result.fetchedBytes()).isEqualTo(result.bytes());
    assertThat(out("model-1.safetensors")).hasBinaryContent(WEIGHTS);
    assertThat(out("empty.txt")).isEmptyFile();
    assertThat(out(".anneal-fetch.json"))
        .content()
        .contains("\"commit\" : \"" + HubServer.COMMIT + "\"", "\"state\" : \"complete\"");
    assertThat(files())
        .containsExactlyInAnyOrder(
            ".anneal-fetch.json",
            "config.json",
            "empty.txt",
            "model-1.safetensors",
            "original/weights.pth",
            "tokenizer.json");
    // the hub is asked where a file lies, and then the store for each part
    assertThat(server.contents()).hasSize(2 + 11 + 3);
    assertThat(server.requests().stream().filter(asked -> asked.ofHub()).count())
        .isLessThanOrEqualTo(2 + 2 * 8);
  }

  @Test
  void doesNothingWhereTheSameCommitIsComplete() throws IOException {
    fetch(model());
    server.requests().clear();

    assertThat(fetch(model()).fetchedBytes()).isZero();
    assertThat(server.requests()).isEmpty();
    server.close();
    assertThat(fetch(model().revision(HubServer.COMMIT)).fetchedBytes())
        .as("a commit by its name needs no hub")
        .isZero();
  }

  @Test
  void bringsADataSet() throws IOException {
    fetch(FetchRequest.dataset("org/name", dir.resolve("out").toString()));
    assertThat(out("model-1.safetensors")).hasBinaryContent(WEIGHTS);
  }

  @Test
  void bringsWhatIsIncludedAndMoreOfItLater() throws IOException {
    fetch(model().include("*.json", "*.pth").exclude("original/*"));
    assertThat(files())
        .containsExactlyInAnyOrder(".anneal-fetch.json", "config.json", "tokenizer.json");
    server.requests().clear();

    fetch(model().exclude("original/"));
    assertThat(server.contents()).allMatch(asked -> !asked.path().endsWith(".json"));
    assertThat(out("model-1.safetensors")).hasBinaryContent(WEIGHTS);
    assertThat(out("original")).doesNotExist();
    assertThat(fetch(model().include("config.json")).files()).isEqualTo(1);
  }

  @Test
  void goesOnWhereAnswersBreakOff() throws IOException {
    server.cutAfter(30_000);
    fetch(model());

    assertThat(out("model-1.safetensors")).hasBinaryContent(WEIGHTS);
    assertThat(server.contents()).hasSizeGreaterThan(50);
  }

  @Test
  void goesOnAfterItWasKilled() throws Exception {
    server.slow(60);
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty(
                    "surefire.test.class.path", System.getProperty("java.class.path")),
                FetchProcess.class.getName(),
                server.endpoint().toString(),
                dir.resolve("out").toString(),
                "" + PART)
            .redirectErrorStream(true)
            .redirectOutput(dir.resolve("log").toFile())
            .start();
    while (process.isAlive() && server.contents().size() < 12) {
      Thread.sleep(10);
    }
    process.destroyForcibly().waitFor();
    assertThat(out("model-1.safetensors")).doesNotExist();
    long begun = Files.size(journal());
    assertThat(begun).as(Files.readString(dir.resolve("log"))).isPositive();
    server.slow(0).commit(OTHER_COMMIT).requests().clear();

    FetchResult result = fetch(model());
    assertThat(result.commit()).as("it goes on with its commit").isEqualTo(HubServer.COMMIT);
    assertThat(out("model-1.safetensors")).hasBinaryContent(WEIGHTS);
    assertThat(result.fetchedBytes()).isLessThan(result.bytes());
    assertThat(server.contents().stream().filter(a -> a.path().endsWith(".safetensors")).count())
        .isEqualTo(11 - begun / 2);
    assertThat(out(".anneal-fetch")).doesNotExist();
  }

  @ParameterizedTest
  @CsvSource({
    "503,",
    "500,",
    "429, 1",
    "429, '\"resolvers\";r=0;t=1'",
    "503, 'Wed, 21 Oct 2015 07:28:00 GMT'"
  })
  void asksAgain(int status, String retryAfter) throws IOException {
    server.fail(2, status, retryAfter);
    long start = System.nanoTime();
    fetch(model());

    assertThat(out("model-1.safetensors")).hasBinaryContent(WEIGHTS);
    if (status == 429) {
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThan(Duration.ofSeconds(1));
    }
  }

  @Test
  void doesNotWaitForEver() {
    server.fail(100, 429, "600");
    assertThatThrownBy(() -> fetch(model()))
        .isInstanceOf(JobFailedException.class)
        .hasMessageContaining("status 429, to be asked again in 600 s")
        .hasMessageEndingWith("run the same command again, and it goes on from there.");
  }

  @Test
  void asksTheHubAgainWhereAnAddressOfTheStoreIsTooOld() throws IOException {
    server.slow(5);
    Thread expiry =
        new Thread(
            () -> {
              awaitContents(6);
              server.expire();
            });
    expiry.setDaemon(true);
    expiry.start();
    fetch(model());
    assertThat(out("model-1.safetensors")).hasBinaryContent(WEIGHTS);
  }

  @Test
  void takesWholeFilesOfAServerThatKnowsNoRanges() throws IOException {
    server.ignoreRanges();
    fetch(model());
    assertThat(out("model-1.safetensors")).hasBinaryContent(WEIGHTS);
  }

  @Test
  void noticesAFileThatChanges() {
    server.slow(20);
    Thread change =
        new Thread(
            () -> {
              awaitContents(5);
              byte[] other = WEIGHTS.clone();
              other[0]++;
              server.large("model-1.safetensors", other).expire();
            });
    change.setDaemon(true);
    change.start();

    assertThatThrownBy(() -> fetch(model().include("*.safetensors")))
        .isInstanceOf(JobFailedException.class)
        .hasMessageContaining("'model-1.safetensors' has changed on the hub");
    assertThat(out("model-1.safetensors")).doesNotExist();
  }

  @Test
  void noticesAFileThatIsShorterThanItWas() {
    server.fail(1, 416, null);
    assertThatThrownBy(() -> fetch(model()))
        .isInstanceOf(JobFailedException.class)
        .hasMessageContaining("has changed on the hub while it was fetched");
  }

  @ParameterizedTest
  @ValueSource(strings = {"model-1.safetensors", "config.json"})
  void keepsNothingWithAWrongChecksum(String file) {
    server.lie();
    assertThatThrownBy(() -> fetch(model().include(file)))
        .isInstanceOf(JobFailedException.class)
        .hasMessageContaining("'" + file + "' came with another checksum than the hub says");
    assertThat(out(file)).doesNotExist();
    assertThat(out(".anneal-fetch")).doesNotExist();
  }

  @Test
  void givesTheTokenToTheHubAlone() throws IOException {
    token = "secret";
    server.demand("secret");
    fetch(model());

    assertThat(server.requests())
        .isNotEmpty()
        .allSatisfy(
            asked -> assertThat(asked.token()).isEqualTo(asked.ofHub() ? "Bearer secret" : null));
  }

  @Test
  void saysWhichPageToVisitForAGatedModel() {
    server.gate("GatedRepo");
    assertThatThrownBy(() -> fetch(model()))
        .isInstanceOf(InvalidDataException.class)
        .hasMessage(
            "The model 'org/name' of %s is gated: ask for access on %s/org/name, and set the environment variable HF_TOKEN to a token of your account.",
            server.endpoint(), server.endpoint());
    token = "another's";
    assertThatThrownBy(() -> fetch(model()))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("this token may not read it (status 403)");
    assertThat(dir.resolve("out")).doesNotExist();
  }

  @Test
  void saysWhatIsNotThere() {
    assertThatThrownBy(() -> fetch(FetchRequest.model("org/other", dir + "/out")))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("The model 'org/other'")
        .hasMessageContaining("is not there: check the name");
    assertThatThrownBy(() -> fetch(model().revision("v9")))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("has no revision 'v9'");
    server.demand("secret");
    assertThatThrownBy(() -> fetch(model()))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining(
            "may not be read (status 401): set the environment variable HF_TOKEN");
    assertThatThrownBy(() -> FetchRequest.model("a/b/c", "x"))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("write it as ORG/NAME");
    assertThat(dir.resolve("out")).doesNotExist();
  }

  @Test
  void saysThatNothingIsWanted() {
    assertThatThrownBy(() -> fetch(model().include("*.gguf")))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("has no file that is wanted");
  }

  @Test
  void refusesWhatTheDiskHasNoRoomFor() {
    server.endless("huge.safetensors", new byte[0], 1L << 46);
    assertThatThrownBy(() -> fetch(model()))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("has room for")
        .hasMessageContaining("free space there, or choose another folder");
    assertThat(server.requests()).isEmpty();
    assertThat(dir.resolve("out")).doesNotExist();
  }

  @Test
  void overwritesNothingUnasked() throws IOException {
    Files.createDirectories(dir.resolve("out"));
    Files.writeString(out("config.json"), "mine");
    assertThatThrownBy(() -> fetch(model()))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("holds files that were not fetched");
    assertThat(out("config.json")).hasContent("mine");
    assertThat(files()).containsExactly("config.json");

    fetch(model().existing(Existing.REPLACE));
    assertThat(out("config.json")).hasContent("{\"model_type\":\"llama\"}");
  }

  @Test
  void replacesAnotherCommitOnlyWhenAskedAndKeepsWhatIsTheSame() throws IOException {
    fetch(model());
    server
        .commit(OTHER_COMMIT)
        .small("config.json", "{\"model_type\":\"other\"}")
        .requests()
        .clear();
    assertThatThrownBy(() -> fetch(model()))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining(
            "holds the model 'org/name' at commit %s: choose another folder, or replace it with --overwrite",
            HubServer.COMMIT);

    fetch(model().exclude("original/").existing(Existing.REPLACE));
    assertThat(out("config.json")).hasContent("{\"model_type\":\"other\"}");
    assertThat(out("original/weights.pth")).doesNotExist();
    assertThat(server.contents()).singleElement().extracting("path").isEqualTo("config.json");
    assertThat(out(".anneal-fetch.json")).content().contains(OTHER_COMMIT);
  }

  @Test
  void takesNothingOfAnotherCommitForItsOwnAfterAnInterruption() throws IOException {
    fetch(model());
    byte[] other = WEIGHTS.clone();
    other[0]++;
    server
        .commit(OTHER_COMMIT)
        .large("model-1.safetensors", other)
        .breakFile("model-1.safetensors");
    assertThatThrownBy(() -> fetch(model().exclude("original/").existing(Existing.REPLACE)))
        .isInstanceOf(JobFailedException.class);
    assertThat(out("model-1.safetensors")).doesNotExist();
    assertThat(out("original/weights.pth")).doesNotExist();

    server.breakFile("");
    fetch(model().exclude("original/"));
    assertThat(out("model-1.safetensors")).hasBinaryContent(other);
  }

  @Test
  void leavesOutNamesOfItsOwn() throws IOException {
    server.small(".anneal-fetch/lock", "x").small(".anneal-fetch.json", "{}");
    assertThat(fetch(model()).files()).isEqualTo(5);
    assertThat(said.toString()).contains("Note: files of the model 'org/name' under .anneal-fetch");
    assertThat(fetch(model()).fetchedBytes()).isZero();
  }

  @ParameterizedTest
  @ValueSource(strings = {"folder/file", ".hidden"})
  void seesWhateverStandsThere(String name) throws IOException {
    Files.createDirectories(out(name).getParent());
    Files.writeString(out(name), "mine");
    assertThatThrownBy(() -> fetch(model()))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("holds files that were not fetched");
  }

  @Test
  void keepsTheRootOfABucket() {
    assertThat(new FetchTarget("s3a://bucket/", null).child("x")).isEqualTo("s3a://bucket/x");
    assertThat(new FetchTarget("s3a://bucket/a", null).child("x")).isEqualTo("s3a://bucket/a/x");
  }

  @Test
  void saysThatALocksFolderCannotBeWritten() throws IOException {
    Path file = Files.createFile(dir.resolve("file"));
    assertThatThrownBy(() -> WaitingLock.take(file.resolve("x.lock"), () -> {}))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("cannot be written");
  }

  @Test
  void leavesAFolderToTheFetchThatIsAtWork() throws IOException {
    try (WorkFolder other = WorkFolder.take(dir.resolve("out"))) {
      assertThat(other.path()).exists();
      assertThatThrownBy(() -> fetch(model()))
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("Another fetch is at work in");
      assertThat(other.path().resolve("lock")).exists();
    }
    fetch(model());
  }

  @Test
  void asksNobodyOffline() throws IOException {
    HubEnvironment offline =
        new HubEnvironment(server.endpoint(), null, environment().proxies(), true);
    assertThatThrownBy(() -> fetch(model(), offline))
        .isInstanceOf(BadRequestException.class)
        .hasMessageStartingWith("HF_HUB_OFFLINE is set");
    fetch(model());
    assertThat(fetch(model(), offline).fetchedBytes()).isZero();
  }

  @Test
  void goesThroughAProxy() throws IOException {
    HubProxies proxies = new HubProxies(server.endpoint(), null, List.of("127.0.0.1"));
    fetch(model(), new HubEnvironment(URI.create("http://hub.nowhere"), null, proxies, false));
    assertThat(out("model-1.safetensors")).hasBinaryContent(WEIGHTS);
  }

  @Test
  void showsBytesRateAndTimeLeft() {
    long[] clock = {0};
    FetchProgress progress = new FetchProgress(new PrintWriter(said), Medium.FILE, () -> clock[0]);
    progress.expect(16_000_000_000L);
    clock[0] = Duration.ofSeconds(4).toNanos();
    progress.add(1);
    clock[0] = Duration.ofSeconds(10).toNanos();
    progress.add(3_999_999_999L);
    assertThat(said).hasToString("4.0 GB of 16.0 GB  400 MB/s  00:30 left\n");
    assertThat(progress.summary()).isEqualTo("4.0 GB in 00:10 (400 MB/s)");
  }

  private void awaitContents(int count) {
    try {
      while (server.contents().size() < count) {
        Thread.sleep(2);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private FetchRequest model() {
    return FetchRequest.model("org/name", dir.resolve("out").toString());
  }

  private HubEnvironment environment() {
    return HubEnvironment.of(server.endpoint(), token);
  }

  private FetchResult fetch(FetchRequest request) throws IOException {
    return fetch(request, environment());
  }

  private FetchResult fetch(FetchRequest request, HubEnvironment hub) throws IOException {
    FetchProgress progress =
        new FetchProgress(new PrintWriter(said, true), Medium.FILE, System::nanoTime);
    return new Fetch(request, hub, new FetchSettings(PATIENCE, PART), progress)
        .to(new Storage(new Configuration()), null);
  }

  private Path out(String file) {
    return dir.resolve("out").resolve(file);
  }

  /** Of the weights, the only file that has come in part. */
  private Path journal() throws IOException {
    try (Stream<Path> files = Files.list(out(".anneal-fetch"))) {
      return files.filter(file -> file.toString().endsWith(".done")).findFirst().orElseThrow();
    }
  }

  private Set<String> files() throws IOException {
    try (Stream<Path> files = Files.walk(dir.resolve("out"))) {
      return files
          .filter(Files::isRegularFile)
          .map(file -> dir.resolve("out").relativize(file).toString())
          .collect(Collectors.toSet());
    }
  }
}
