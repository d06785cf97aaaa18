package dev.anneal.spark.fetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.hub.HubEnvironment;
import dev.anneal.data.hub.HubFile;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.LocalSpark;
import dev.anneal.spark.Request.Existing;
import dev.anneal.spark.progress.ProgressDisplay.Medium;
import dev.anneal.spark.s3.FaultyStore;
import dev.anneal.spark.s3.S3Server;
import dev.anneal.spark.s3.StoreConfiguration;
import dev.anneal.spark.session.CallersSession;
import dev.anneal.storage.MultipartUpload;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;

/** Fetching to a real S3 server as Spark jobs. */
class StoreFetchIT {
  private static final int MIB = 1 << 20;
  private static final int PART = 5 * MIB;
  private static final byte[] FIRST = new byte[12 * MIB];
  private static final byte[] SECOND = new byte[7 * MIB];

  @TempDir static Path folder;

  private static S3Server server;
  private static FaultyStore store;
  private static Storage storage;
  private static SparkSession spark;

  private final StringWriter said = new StringWriter();
  private HubServer hub;
  private String output;

  @BeforeAll
  static void startStore() throws Exception {
    server = S3Server.start(folder);
    store = FaultyStore.before(server);
    Configuration conf = StoreConfiguration.hadoop(store.endpoint());
    storage = new Storage(conf);
    spark = LocalSpark.session(1);
    Random random = new Random(3);
    random.nextBytes(FIRST);
    random.nextBytes(SECOND);
  }

  @AfterAll
  static void stopStore() throws IOException {
    spark.close();
    store.close();
    server.close();
  }

  @BeforeEach
  void start(TestInfo test) throws IOException {
    hub = new HubServer();
    hub.small("config.json", "{\"model_type\":\"llama\"}")
        .large("model-1.safetensors", FIRST)
        .large("model-2.safetensors", SECOND)
        .small("empty.txt", "");
    output = S3Server.uri(test.getTestMethod().orElseThrow().getName());
    store.failing(0);
    store.breaking(0);
    store.forget();
  }

  @AfterEach
  void stop() {
    hub.close();
  }

  @Test
  void bringsAModelInPartsAndDoesNothingTheSecondTime() throws IOException {
    FetchResult result = fetch(model());

    assertThat(result.fetchedBytes()).isEqualTo(result.bytes());
    assertThat(read("model-1.safetensors")).isEqualTo(FIRST);
    assertThat(read("model-2.safetensors")).isEqualTo(SECOND);
    assertThat(read("config.json")).asString().isEqualTo("{\"model_type\":\"llama\"}");
    assertThat(read(".anneal-fetch.json")).asString().contains("\"state\" : \"complete\"");
    assertThat(storage.exists(output + "/.anneal-fetch/uploads.json")).isFalse();
    Map<String, Long> operations = store.operations(any -> true);
    assertThat(operations)
        .containsEntry("CreateMultipartUpload", 2L)
        .containsEntry("UploadPart", 3L + 2L)
        .containsEntry("CompleteMultipartUpload", 2L);

    hub.requests().clear();
    assertThat(fetch(model()).fetchedBytes()).isZero();
    assertThat(hub.requests()).isEmpty();
  }

  @Test
  void goesOnWithThePartsThatWereSent() throws IOException {
    hub.breakFile("model-2.safetensors");
    assertThatThrownBy(() -> fetch(model()))
        .isInstanceOf(JobFailedException.class)
        .hasMessageContaining("status 500")
        .hasMessageEndingWith("run the same command again, and it goes on from there.");
    assertThat(storage.exists(output + "/model-1.safetensors")).isFalse();
    assertThat(storage.exists(output + "/config.json")).isFalse();
    assertThat(read(".anneal-fetch.json")).asString().contains("\"state\" : \"fetching\"");
    hub.breakFile("").commit("f".repeat(40)).requests().clear();

    FetchResult result = fetch(model());
    assertThat(result.commit()).isEqualTo(HubServer.COMMIT);
    assertThat(hub.contents()).noneMatch(asked -> asked.path().equals("model-1.safetensors"));
    assertThat(read("model-1.safetensors")).isEqualTo(FIRST);
    assertThat(read("model-2.safetensors")).isEqualTo(SECOND);
  }

  @Test
  void beginsAnewWhatTheStoreHasGivenUp() throws IOException {
    hub.breakFile("model-2.safetensors");
    assertThatThrownBy(() -> fetch(model())).isInstanceOf(JobFailedException.class);
    HubFile first = new HubFile("model-1.safetensors", FIRST.length, null, "0");
    HubFile second = new HubFile("model-2.safetensors", SECOND.length, null, "0");
    UploadJournal journal = UploadJournal.read(new FetchTarget(output, storage));
    assertThat(journal.unverified()).containsOnlyKeys(first.path(), second.path());
    for (HubFile file : List.of(first, second)) {
      try (MultipartUpload upload = MultipartUpload.of(storage, output + "/" + file.path())) {
        upload.abort(journal.of(file).orElseThrow().upload());
      }
    }
    hub.breakFile("");

    fetch(model());
    assertThat(read("model-1.safetensors")).isEqualTo(FIRST);
    assertThat(read("model-2.safetensors")).isEqualTo(SECOND);
  }

  @Test
  void replacesAFileOfTheSameSize() throws IOException {
    fetch(model());
    byte[] other = FIRST.clone();
    other[0]++;
    hub.commit("f".repeat(40)).large("model-1.safetensors", other).breakFile("model-1.safetensors");
    FetchRequest replacing = model().exclude("model-2*").existing(Existing.REPLACE);
    assertThatThrownBy(() -> fetch(replacing)).isInstanceOf(JobFailedException.class);
    assertThat(storage.exists(output + "/model-1.safetensors")).isFalse();
    assertThat(storage.exists(output + "/model-2.safetensors")).isFalse();
    hub.breakFile("");

    fetch(model().exclude("model-2*"));
    assertThat(read("model-1.safetensors")).isEqualTo(other);
  }

  @Test
  void comesThroughBrokenConnectionsOnBothSides() throws IOException {
    hub.cutAfter(MIB);
    store.failing(0.1);
    store.breaking(0.1);
    fetch(model());
    assertThat(read("model-1.safetensors")).isEqualTo(FIRST);
    assertThat(read("model-2.safetensors")).isEqualTo(SECOND);
  }

  @Test
  void leavesNothingWithAWrongChecksum() throws IOException {
    hub.lie();
    assertThatThrownBy(() -> fetch(model()))
        .isInstanceOf(JobFailedException.class)
        .hasMessageContaining("'model-1.safetensors' came with another checksum");
    assertThat(storage.exists(output + "/model-1.safetensors")).isFalse();
    assertThat(storage.exists(output + "/model-2.safetensors")).isFalse();
    assertThat(storage.exists(output + "/config.json")).isFalse();
  }

  @Test
  void overwritesNothingUnasked() throws IOException {
    storage.write(output + "/config.json", out -> out.write(7));
    assertThatThrownBy(() -> fetch(model()))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("holds files that were not fetched");
    fetch(model().include("config.json").existing(Existing.REPLACE));
    assertThat(read("config.json")).asString().isEqualTo("{\"model_type\":\"llama\"}");
  }

  private FetchRequest model() {
    return FetchRequest.model("org/name", output);
  }

  private FetchResult fetch(FetchRequest request) throws IOException {
    FetchProgress progress =
        new FetchProgress(new PrintWriter(said, true), Medium.FILE, System::nanoTime);
    try (CallersSession session = new CallersSession(spark)) {
      return new Fetch(
              request,
              HubEnvironment.of(hub.endpoint(), null),
              new FetchSettings(FetchTest.PATIENCE, PART),
              progress)
          .to(storage, session);
    }
  }

  private byte[] read(String name) throws IOException {
    try (InputStream in = storage.open(output + "/" + name)) {
      return in.readAllBytes();
    }
  }
}
