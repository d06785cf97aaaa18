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
    ServerProcess server =
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
                "org.apache.spark.deploy.history.HistoryServer"));
    HistoryPages pages = new HistoryPages(server, application);
    pages.awaitApplication();
    return pages;
  }

  /** The server reads its folder after it has begun to listen. */
  private void awaitApplication() throws Exception {
    String asked = pages.replace("/history/", "/api/v1/applications/");
    for (int round = 0; SparkPage.get(asked).statusCode() != 200; round++) {
      assertThat(round).as("the server knows the application").isLessThan(100);
      Thread.sleep(200);
    }
  }

  /** A page of the application. */
  public String get(String page) throws Exception {
    HttpResponse<String> answer = SparkPage.get(pages + page);
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
    return answer.body();
  }

  @Override
  public void close() {
    server.close();
  }
}
