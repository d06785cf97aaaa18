package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Somebody else on the machine of an embedded Spark, who asks at every port of its processes. */
class EmbeddedStrangerIT {
  private static final Duration PATIENCE = Duration.ofSeconds(3);
  private static final int LISTENING = 0x0a;

  @TempDir Path folder;

  @Test
  void seesNoPageAndEndsNothing() throws Exception {
    assertSeesAndEndsNothing();
  }

  @Test
  @Tag("faults")
  void noMoreWhereTheUserNamesTheMaster() throws Exception {
    assertSeesAndEndsNothing("--master=local-cluster[2,1,1024]");
  }

  private void assertSeesAndEndsNothing(String... more) throws Exception {
    HttpClient stranger = HttpClient.newHttpClient();
    try (SubmittedJob job =
        SubmittedJob.start(
            folder,
            Stream.concat(
                    Stream.of(
                        "run",
                        "--config=" + SubmittedJob.recipe(),
                        "--set=training.max_steps=60",
                        "--set=output.path=out"),
                    Stream.of(more))
                .toArray(String[]::new))) {
      job.awaitOutput("step ");
      String application =
          new ObjectMapper()
              .readTree(folder.resolve("out/run.json").toFile())
              .findValue("application_id")
              .asText();
      int pages = 0;
      for (int port : listening(job.processes())) {
        try {
          for (HttpRequest request : requests(port, application)) {
            HttpResponse<String> answer = stranger.send(request, BodyHandlers.ofString());
            assertThat(answer.statusCode()).as(request + answer.body()).isEqualTo(403);
            pages++;
          }
        } catch (IOException noPages) {
          // Spark's own protocol, or the store of the ranks
        }
      }
      // of the master and its two workers
      assertThat(pages).isGreaterThanOrEqualTo(3 * requests(1, application).size());
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(job.out()).doesNotContain("Beginning again");
      assertThat(job.err()).isEmpty();
    }
  }

  private static List<HttpRequest> requests(int port, String application) {
    String place = "http://127.0.0.1:" + port;
    return List.of(
        request(place + "/").GET().build(),
        request(place + "/json/").GET().build(),
        request(place + "/logPage/?appId=%s&executorId=0&logType=stderr".formatted(application))
            .GET()
            .build(),
        request(place + "/app/kill/")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .POST(BodyPublishers.ofString("id=%s&terminate=true".formatted(application)))
            .build());
  }

  private static HttpRequest.Builder request(String place) {
    return HttpRequest.newBuilder(URI.create(place))
        .version(HttpClient.Version.HTTP_1_1)
        .timeout(PATIENCE);
  }

  /** The ports that processes listen on, as the kernel has them. */
  private static Set<Integer> listening(List<ProcessHandle> processes) throws IOException {
    Set<String> theirs = new TreeSet<>();
    for (ProcessHandle process : processes) {
      try (Stream<Path> files = Files.list(Path.of("/proc", process.pid() + "", "fd"))) {
        for (Path file : files.toList()) {
          theirs.add(target(file));
        }
      }
    }
    Set<Integer> ports = new TreeSet<>();
    for (String table : List.of("tcp", "tcp6")) {
      for (String line :
          Files.readAllLines(Path.of("/proc/net", table)).stream().skip(1).toList()) {
        String[] words = line.strip().split("\\s+", -1);
        if (Integer.parseInt(words[3], 16) == LISTENING
            && theirs.contains("socket:[" + words[9] + "]")) {
          ports.add(Integer.parseInt(words[1].substring(words[1].lastIndexOf(':') + 1), 16));
        }
      }
    }
    return ports;
  }

  private static String target(Path file) {
    try {
      return Files.readSymbolicLink(file).toString();
    } catch (IOException closed) {
      return "";
    }
  }
}
