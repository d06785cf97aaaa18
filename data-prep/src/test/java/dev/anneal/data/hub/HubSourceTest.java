package dev.anneal.data.hub;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.format.RowFormat;
import dev.anneal.data.prep.LongRows;
import dev.anneal.data.prep.PrepCheck;
import dev.anneal.data.prep.PrepSpec;
import dev.anneal.data.prep.Preparation;
import dev.anneal.data.source.SourceFiles;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HubSourceTest {
  private static final byte[] LARGE = new byte[300_000];

  static {
    new Random(7).nextBytes(LARGE);
  }

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
  void fetchesTheTrainingSplitOnceAndSortsIt() throws Exception {
    server
        .file("README.md", "# rows".getBytes(UTF_8))
        .file("data/train-large 1.parquet", LARGE)
        .file("data/test-large.parquet", LARGE)
        .file("data/train-0.jsonl", "{}\n".getBytes(UTF_8))
        .file("dataset_infos.json", "{}".getBytes(UTF_8));
    List<FileInfo> files = fetch("hub:datasets/org/name");

    Path folder = dir.resolve("out/hub/org/name/" + HubServer.COMMIT + "/data");
    assertThat(files)
        .containsExactly(
            new FileInfo("file:" + folder.resolve("train-0.jsonl"), 3),
            new FileInfo("file:" + folder.resolve("train-large 1.parquet"), LARGE.length));
    assertThat(folder.resolve("train-large 1.parquet")).hasBinaryContent(LARGE);
    assertThat(server.fileRequests()).hasSize(2);
    assertThat(fetch("hub:datasets/org/name@main")).isEqualTo(files);
    assertThat(server.fileRequests()).hasSize(2);
    assertThat(dir.resolve("cache")).isEmptyDirectory();
  }

  @Test
  void asksNobodyOffline() throws IOException {
    server.file("large 1.json", LARGE);
    HubName name = HubName.parse("hub:datasets/org/name");
    HubClient offline =
        new HubClient(
            new HubEnvironment(server.endpoint(), null, HubProxies.NONE, true), Patience.USUAL);
    Path cache = dir.resolve("cache");
    assertThatThrownBy(() -> HubSource.fetch(name, dir + "/out", offline, cache, storage()))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageStartingWith("HF_HUB_OFFLINE is set, and");
    List<FileInfo> copies = fetch("hub:datasets/org/name");
    server.close();
    assertThat(HubSource.fetch(name, dir + "/out", offline, cache, storage())).isEqualTo(copies);
    Files.delete(Path.of(copies.get(0).uri().substring("file:".length())));
    assertThatThrownBy(() -> HubSource.fetch(name, dir + "/out", offline, cache, storage()))
        .isInstanceOf(InvalidDataException.class);
  }

  @Test
  void takesTheFilesThatAreNamed() {
    server
        .file("en/a.json", "[]".getBytes(UTF_8))
        .file("en/b.json", "[]".getBytes(UTF_8))
        .file("fr/test.json", "[]".getBytes(UTF_8));

    assertThat(fetch("hub:datasets/org/name/en/*.json")).hasSize(2);
    assertThat(fetch("hub:datasets/org/name/fr")).hasSize(1);
    assertThat(fetch("hub:datasets/org/name")).hasSize(2);
    assertThatThrownBy(() -> fetch("hub:datasets/org/name/de/*.json"))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("no file that 'de/*.json' matches");
  }

  @Test
  void goesOnWhereAnAnswerBreaksOff() {
    server.file("large.json", LARGE).cutAfter(100_000).fail(2);
    List<FileInfo> files = fetch("hub:datasets/org/name");

    assertThat(Path.of(files.get(0).uri().substring("file:".length()))).hasBinaryContent(LARGE);
    assertThat(server.fileRequests())
        .last()
        .asString()
        .matches("large.json bytes=\\d{6}-299999 null");
  }

  @Test
  void goesOnWhereAnotherRunStopped() throws Exception {
    server.file("large.json", LARGE).cutAfter(100_000);
    server.cutAfter(0);
    assertThatThrownBy(() -> fetch("hub:datasets/org/name"))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("run again, and it goes on from there");
    assertThat(dir.resolve("out")).doesNotExist();
    try (var parts = Files.list(dir.resolve("cache"))) {
      Files.write(parts.findFirst().orElseThrow(), java.util.Arrays.copyOf(LARGE, 200_000));
    }
    server.cutAfter(Integer.MAX_VALUE);
    List<FileInfo> files = fetch("hub:datasets/org/name");

    assertThat(Path.of(files.get(0).uri().substring("file:".length()))).hasBinaryContent(LARGE);
    assertThat(server.fileRequests()).last().isEqualTo("large.json bytes=200000-299999 null");
  }

  @Test
  void twoRunsDoNotDisturbEachOther() throws Exception {
    server.file("large.json", LARGE).cutAfter(10_000);
    HubName name = HubName.parse("hub:datasets/org/name");
    List<CompletableFuture<List<FileInfo>>> runs =
        Stream.of("one", "other")
            .map(
                out ->
                    CompletableFuture.supplyAsync(
                        () ->
                            HubSource.fetch(
                                name,
                                dir.resolve(out).toString(),
                                client(null),
                                dir.resolve("cache"),
                                storage())))
            .toList();
    for (CompletableFuture<List<FileInfo>> run : runs) {
      String copy = run.get().get(0).uri();
      assertThat(Path.of(copy.substring("file:".length()))).hasBinaryContent(LARGE);
    }
    assertThat(dir.resolve("cache")).isEmptyDirectory();
  }

  @ParameterizedTest
  @ValueSource(strings = {"large.json", "small.json"})
  void refusesWhatDoesNotMatchItsChecksum(String name) {
    server.file(name, LARGE).lie();

    assertThatThrownBy(() -> fetch("hub:datasets/org/name"))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("'" + name + "' came with another checksum than the hub says");
    assertThat(dir.resolve("out")).doesNotExist();
    assertThat(dir.resolve("cache")).isEmptyDirectory();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"../evil.json", "a/../../evil.json", "/evil.json", "a//b.json", "a\\..\\b.json"})
  void refusesNamesThatLeaveTheirFolder(String name) {
    server.file(name, LARGE);

    assertThatThrownBy(() -> fetch("hub:datasets/org/name"))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("may lie outside of its folder");
    assertThat(dir.resolve("out")).doesNotExist();
  }

  @Test
  void refusesACommitThatIsNone() {
    server.file("a.json", LARGE).commit("../../..");

    assertThatThrownBy(() -> fetch("hub:datasets/org/name"))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("'../../..' is no commit");
    assertThat(dir.resolve("out")).doesNotExist();
  }

  @Test
  void saysWhomItCannotReach() {
    server.close();

    assertThatThrownBy(() -> fetch("hub:datasets/org/name"))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("no connection to " + server.endpoint().getAuthority());
  }

  @Test
  void findsARevisionWhoseNameHasSlashes() {
    server.file("é a+b#c?.json", LARGE);

    assertThat(fetch("hub:datasets/org/name@refs%2Fpr%2F1")).hasSize(1);
    assertThat(server.fileRequests()).containsExactly("é a+b#c?.json null null");
  }

  @Test
  void givesTheTokenToTheHubAloneAndAsksForOne() {
    server.file("large.json", LARGE).file("small.json", LARGE).demand("secret");
    HubClient client = client("secret");
    HubName name = HubName.parse("hub:datasets/org/name");

    assertThat(HubSource.fetch(name, dir + "/out", client, dir.resolve("cache"), storage()))
        .hasSize(2);
    assertThat(server.fileRequests())
        .containsExactly("large.json null null", "small.json null Bearer secret");
    assertThatThrownBy(() -> fetch("hub:datasets/org/name"))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining(
            "may not be read (status 401): set the environment variable HF_TOKEN");
  }

  @Test
  void preparesWhatItFetches() {
    server.file(
        "large.jsonl", "{\"input_ids\":[1,2],\"prompt_length\":1}\n".repeat(9).getBytes(UTF_8));
    PrepSpec spec =
        new PrepSpec(
            new PrepSpec.Rows(
                "hub:datasets/org/name", RowFormat.TOKENIZED, new TreeMap<>(), null, null, 0, 0.0),
            new PrepSpec.Sequences(8, LongRows.TRUNCATE, true, true, false),
            42,
            null,
            dir + "/out",
            Integer.MAX_VALUE);

    assertThat(new Preparation(spec, storage()).check())
        .isEqualTo(new PrepCheck.Report(1, 9, 0, true));
  }

  @Test
  void namesWhatIsNotThere() {
    assertThatThrownBy(() -> fetch("hub:datasets/org/other"))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("'org/other'")
        .hasMessageContaining("with revision 'main' is not there");
    assertThatThrownBy(() -> fetch("hub:datasets/org/name"))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("has no file of rows");
    for (String source :
        List.of(
            "hub:org/name", "hub:datasets/../name", "hub:datasets/name", "hub:models/org/name")) {
      assertThatThrownBy(() -> fetch(source))
          .isInstanceOf(InvalidDataException.class)
          .hasMessageContaining("write hub:datasets/ORG/NAME");
    }
  }

  @Test
  void namesACacheThatCannotBeMade() throws IOException {
    server.file("a.json", LARGE);
    Path home = Files.createFile(dir.resolve("cache"));
    assertThatThrownBy(() -> fetch("hub:datasets/org/name"))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageStartingWith("The folder " + home)
        .hasMessageContaining("spark.hadoop.anneal.hub.cache");
  }

  @ParameterizedTest
  @ValueSource(strings = {"huggingface.co", "https://", "ftp://hub", "https://a b", "::"})
  void refusesAnAddressThatIsNone(String address) {
    Configuration conf = new Configuration();
    conf.set(HubSource.ENDPOINT_KEY, address);
    assertThatThrownBy(() -> HubSource.endpoint(conf))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("'" + address + "', which is none: set HF_ENDPOINT");
  }

  private HubClient client(String token) {
    return new HubClient(HubEnvironment.of(server.endpoint(), token), Patience.USUAL);
  }

  private List<FileInfo> fetch(String source) {
    return SourceFiles.find(source, dir + "/out", storage());
  }

  private Storage storage() {
    Configuration conf = new Configuration();
    conf.set(HubSource.ENDPOINT_KEY, server.endpoint().toString());
    conf.set(HubSource.CACHE_KEY, dir.resolve("cache").toString());
    return new Storage(conf);
  }
}
