package dev.anneal.spark.fetch;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.Anneal;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The command line of fetch, its words and exit codes. */
class FetchCommandTest {
  private static final String ENDPOINT = "spark.hadoop.anneal.hub.endpoint";

  @TempDir Path dir;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private HubServer server;

  @BeforeEach
  void start() throws IOException {
    server = new HubServer();
    server.small("config.json", "{}").small("data/train.jsonl", "{}\n");
    System.setProperty(ENDPOINT, server.endpoint().toString());
  }

  @AfterEach
  void stop() {
    System.clearProperty(ENDPOINT);
    server.close();
  }

  @Test
  void bringsADataSetAndSaysWhatItHasDone() {
    int code =
        fetch("org/name", "--type", "dataset", "--output", dir + "/out", "--include", "data/*");
    assertThat(err.toString(UTF_8)).isEmpty();
    assertThat(code).isZero();
    assertThat(dir.resolve("out/data/train.jsonl")).hasContent("{}\n");
    assertThat(dir.resolve("out/config.json")).doesNotExist();
    assertThat(out.toString(UTF_8))
        .contains(
            "Fetching the data set 'org/name' at " + HubServer.COMMIT + " to " + dir + "/out: 1 of")
        .contains(dir + "/out holds the data set 'org/name' at " + HubServer.COMMIT + ": 1 files");
  }

  @Test
  void showsWhatWouldCome() {
    assertThat(fetch("org/name", "--dry-run")).isZero();
    assertThat(out.toString(UTF_8))
        .contains("The model 'org/name' at main is commit " + HubServer.COMMIT)
        .contains("2 files, 0.0 MB (5 bytes) to fetch");
    assertThat(server.requests()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "org/name | --output is missing",
        "--output x | Missing required parameter: 'REPO'",
        "org/name --output x --type models | --type is models, but must be model or dataset",
        "org/name --output x --connections 0 | --connections is 0",
        "a/b/c --output x | 'a/b/c' is not the name of a model of the hub: write it as ORG/NAME.",
        "org/other --output x | The model 'org/other' of",
        "org/name --output none://x/y | --output none://x/y is no place to write to",
        "org/name --output x --revision v7 | has no revision 'v7'",
      })
  void refusesInOneSentence(String args, String sentence) {
    assertThat(fetch(args.replace("--output x", "--output " + dir + "/x").split(" "))).isEqualTo(2);
    assertThat(err.toString(UTF_8))
        .startsWith("anneal: ")
        .contains(sentence)
        .hasLineCount(1)
        .endsWith(".\n");
    assertThat(dir.resolve("x")).doesNotExist();
  }

  @Test
  void failsWithOneWhereTheHubIsAway() {
    server.fail(100, 429, "3600");
    assertThat(fetch("org/name", "--output", dir + "/x")).isEqualTo(1);
    assertThat(err.toString(UTF_8))
        .contains("status 429, to be asked again in 3600 s")
        .hasLineCount(1);
  }

  private int fetch(String... args) {
    List<String> all = new java.util.ArrayList<>(List.of("fetch"));
    all.addAll(List.of(args));
    return Anneal.execute(
        all.toArray(String[]::new),
        new PrintStream(out, true, UTF_8),
        new PrintStream(err, true, UTF_8));
  }
}
