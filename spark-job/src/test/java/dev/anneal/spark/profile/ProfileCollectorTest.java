package dev.anneal.spark.profile;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.RunOutputFolder;
import dev.anneal.spark.train.Attempt;
import dev.anneal.training.io.OutputFolder;
import dev.anneal.training.timing.Lane;
import dev.anneal.training.timing.Profile;
import dev.anneal.training.timing.Profile.ProfiledSpan;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Parts of ranks become one trace. */
class ProfileCollectorTest {
  private static final String ATTEMPT = "run-1";
  private static final Duration LONG = Duration.ofMinutes(1);

  @TempDir Path output;
  private final List<String> said = new ArrayList<>();
  private RunFolder folder;

  @BeforeEach
  void folder() {
    folder = new RunFolder(output.toUri().toString(), new Configuration());
  }

  @Test
  void everyRankIsAProcessAndEveryLaneAThreadByOneClock() throws IOException {
    long begin = 1_900_000_000_123_456_789L;
    ProfileCollector collector = collector(2);
    send(collector, profile(1, begin + 500));
    assertThat(output.resolve("profile")).doesNotExist();
    send(collector, profile(0, begin));
    collector.end(LONG);
    assertThat(said)
        .containsExactly(
            "Profile of steps 4 to 5 of all 2 ranks: %s/profile/trace.json (opens in ui.perfetto.dev)"
                .formatted(output));
    JsonNode trace = new ObjectMapper().readTree(output.resolve("profile/trace.json").toFile());
    assertThat(named(trace, "process_name"))
        .extracting(event -> event.at("/args/name").textValue())
        .containsExactly("rank 0 on node-0", "rank 1 on node-1");
    assertThat(named(trace, "process_labels"))
        .extracting(event -> event.at("/args/labels").textValue())
        .containsExactly("wall clock of node-0", "wall clock of node-1");
    assertThat(named(trace, "thread_name"))
        .extracting(
            event -> event.path("pid").intValue() + " " + event.at("/args/name").textValue())
        .containsExactly(
            "0 host",
            "0 compute",
            "0 exchange",
            "0 exchange 2",
            "1 host",
            "1 compute",
            "1 exchange",
            "1 exchange 2");
    for (int rank : List.of(0, 1)) {
      JsonNode layer = named(trace, "forward 0").get(rank);
      assertThat(layer.path("ts").decimalValue())
          .isEqualByComparingTo(rank == 0 ? "0.001" : "0.501");
      assertThat(layer.path("dur").decimalValue()).isEqualByComparingTo("0.3");
      assertThat(layer.at("/args/step").intValue()).isEqualTo(4);
    }
    // the second begins in the first and ends behind it
    assertThat(named(trace, "all_gather"))
        .extracting(event -> event.path("tid").intValue())
        .containsExactly(31, 32, 31, 32);
  }

  @Test
  void manySpansArePackedAndTheOneBeforeGoes() throws IOException {
    Files.createDirectories(output.resolve("profile"));
    Files.writeString(output.resolve("profile/trace.json"), "[]");
    List<ProfiledSpan> many =
        Stream.iterate(0L, at -> at + 10)
            .limit(50_001)
            .map(at -> new ProfiledSpan(Lane.HOST, "forward 1", 4, at, at + 5))
            .toList();
    ProfileCollector collector = collector(1);
    send(collector, new Profile(0, 4, 4, many, true));
    collector.end(LONG);
    assertThat(said).singleElement().asString().contains("of the only rank, cut short");
    assertThat(output.resolve("profile/trace.json")).doesNotExist();
    try (InputStream in =
        new GZIPInputStream(Files.newInputStream(output.resolve("profile/trace.json.gz")))) {
      assertThat(named(new ObjectMapper().readTree(in), "forward 1")).hasSize(50_001);
    }
  }

  @Test
  void whatARankCannotWriteIsSaidAndTheOthersMakeTheTrace() throws IOException {
    ProfileCollector collector = collector(2);
    ProfileSender sender = new ProfileSender(1, "node-1", 2, new FullDisk(), collector);
    sender.send(profile(1, 7));
    sender.await();
    send(collector, profile(0, 7));
    collector.end(LONG);
    assertThat(said)
        .hasSize(2)
        .satisfiesExactly(
            first ->
                assertThat(first)
                    .isEqualTo(
                        "The profile is without rank 1: java.io.IOException: No space left on device"),
            second -> assertThat(second).startsWith("Profile of steps 4 to 5 of 1 of 2 ranks: "));
  }

  @Test
  void aTraceThatCannotBeWrittenIsSaid() throws IOException {
    Files.writeString(output.resolve("profile"), "a file");
    ProfileCollector collector = collector(1);
    send(collector, profile(0, 7));
    collector.end(LONG);
    assertThat(said).singleElement().asString().startsWith("The profile could not be written: ");
  }

  @Test
  void anAttemptThatEndsWithoutAProfileSaysSo() {
    collector(2).end(LONG);
    assertThat(said)
        .containsExactly(
            "There is no profile of this attempt: no rank has sent its part before it ended.");
  }

  @Test
  void ranksThatHaveSentNothingAreNamed() {
    ProfileCollector collector = collector(4);
    send(collector, profile(2, 7));
    collector.accept(new RankEvent.ProfileLost(1, "no space."));
    collector.end(LONG);
    assertThat(said)
        .satisfiesExactly(
            first -> assertThat(first).isEqualTo("The profile is without rank 1: no space."),
            second ->
                assertThat(second)
                    .isEqualTo(
                        "The profile is without rank 0, 3: no part has come before the attempt ended."),
            third -> assertThat(third).startsWith("Profile of steps 4 to 5 of 1 of 4 ranks: "));
  }

  @Test
  void aTraceThatTakesLongerThanTheNextAttemptWaitsIsGivenUpAndNeverTakesItsPlace()
      throws Exception {
    Semaphore store = new Semaphore(0);
    ProfileCollector collector =
        new ProfileCollector(
            folder.guardedBy(() -> store.acquireUninterruptibly()), ATTEMPT, 1, said::add);
    send(collector, profile(0, 7));
    collector.end(Duration.ofMillis(50));
    assertThat(said)
        .containsExactly("The profile is not written 0 s after the attempt: it is given up.");
    store.release(10);
    while (Thread.getAllStackTraces().keySet().stream()
        .anyMatch(thread -> thread.getName().equals("profile"))) {
      Thread.sleep(10);
    }
    assertThat(said).hasSize(1);
    assertThat(output.resolve("profile/trace.json")).doesNotExist();
  }

  private ProfileCollector collector(int worldSize) {
    return new ProfileCollector(folder, ATTEMPT, worldSize, said::add);
  }

  private void send(ProfileCollector collector, Profile profile) {
    ProfileSender sender =
        new ProfileSender(
            profile.rank(),
            "node-" + profile.rank(),
            2,
            new RunOutputFolder(folder, Attempt.resultFolder(ATTEMPT, ProfileSender.folderName())),
            collector);
    sender.send(profile);
    sender.await();
  }

  private static Profile profile(int rank, long begin) {
    return new Profile(
        rank,
        4,
        5,
        List.of(
            new ProfiledSpan(Lane.COMPUTE, "forward 0", 4, begin + 1, begin + 301),
            new ProfiledSpan(Lane.HOST, "forward and backward", 4, begin, begin + 1000),
            new ProfiledSpan(Lane.EXCHANGE, "all_gather", 5, begin + 2000, begin + 2600),
            new ProfiledSpan(Lane.EXCHANGE, "all_gather", 5, begin + 2500, begin + 2900)),
        false);
  }

  private static List<JsonNode> named(JsonNode trace, String name) {
    List<JsonNode> events = new ArrayList<>();
    trace.forEach(
        event -> {
          if (event.path("name").textValue().equals(name)) {
            events.add(event);
          }
        });
    return events;
  }

  private record FullDisk() implements OutputFolder {
    @Override
    public String location() {
      return "/full";
    }

    @Override
    public OutputStream create(String file) throws IOException {
      throw new IOException("No space left on device");
    }
  }
}
