package dev.anneal.spark.sparkui;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.ServerProcess;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** What Spark's History Server, in a process of its own, shows of an application. */
public final class HistoryPages implements AutoCloseable {
  private final ServerProcess server;
  private final String pages;

  private HistoryPages(ServerProcess server, String application) {
    this.server = server;
    this.pages = "http://127.0.0.1:%s/history/%s".formatted(server.port(), application);
  }

  /**
   * Starts the server.
   *
   * @param logs folder of event logs
   * @param says where it says what it says
   * @param classPath Spark's jars, and what else it is to have
   */
  public static HistoryPages of(String application, Path logs, Path says, String classPath)
      throws Exception {
    int port = ServerProcess.freePort();
    return new HistoryPages(
        ServerProcess.start(
            port,
            says,
            Map.of("SPARK_LOCAL_IP", "127.0.0.1"),
            List.of(
                "-Xmx256m",
                "-cp",
                classPath,
                "-Dspark.history.fs.logDirectory=" + logs.toUri(),
                "-Dspark.history.ui.port=" + port,
                "-Dspark.history.fs.update.interval=1s",
                // not in memory, so that what is kept has to be written and read
                "-Dspark.history.store.path="
                    + Files.createTempDirectory(logs.getParent(), "store"),
                "org.apache.spark.deploy.history.HistoryServer")),
        application);
  }

  /** A page, for which the server has to have read its folder. */
  public String get(String page) throws Exception {
    HttpResponse<String> answer;
    int rounds = 0;
    do {
      Thread.sleep(200);
      answer = SparkPage.get(pages + page);
      rounds++;
    } while (answer.statusCode() != 200 && rounds < 100);
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
    return answer.body();
  }

  @Override
  public void close() {
    server.close();
  }
}
