package dev.anneal.spark.sparkui;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.LocalSpark;
import dev.anneal.spark.ServerProcess;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Spark's History Server in a process of its own, with our classes and without. */
class RunHistoryIT {
  private static final Path HOME = Path.of(System.getProperty("anneal.home"));

  @TempDir Path dir;

  @Test
  void theHistoryServerShowsRunsWithOurJarAndAllElseWithout() throws Exception {
    Path logs = Files.createDirectory(dir.resolve("logs"));
    String application = application(logs);
    String ours =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    try (ServerProcess server = server(logs, dir.resolve("with.txt"), ours)) {
      String pages = pages(server, application);
      assertThat(awaited(pages + "/anneal/report/"))
          .contains("<h1>2 runs</h1>", ">succeeded<", "one", "two", "\"x\":[1,2,3,")
          .doesNotContain(ToldRun.SECRET, "Who has the hat?");
      assertThat(SparkPage.get(pages + "/anneal/").body())
          .contains("src=\"/history/%s/anneal/report/\"".formatted(application));
    }
    String sparks = HOME.resolve("spark-job/target/spark-home/jars") + "/*";
    Path log = dir.resolve("without.txt");
    try (ServerProcess server = server(logs, log, sparks)) {
      String pages = pages(server, application);
      assertThat(awaited(pages + "/jobs/")).contains("count at RunHistoryIT");
      assertThat(SparkPage.get(pages + "/anneal/").statusCode()).isEqualTo(404);
      assertThat(log).content().contains("unrecognized event").contains("RunEvent");
    }
  }

  private static String application(Path logs) throws Exception {
    try (SparkSession spark =
        LocalSpark.withPages(1)
            .config("spark.eventLog.enabled", true)
            .config("spark.eventLog.dir", logs.toUri().toString())
            .getOrCreate()) {
      assertThat(spark.range(7).toJavaRDD().count()).isEqualTo(7);
      for (String name : List.of("one", "two")) {
        ToldRun run = new ToldRun("file:/runs/" + name);
        try (ShownRun shown =
            ShownRun.begin(spark.sparkContext(), name, run::view, ToldRun::masked)) {
          shown.now(run.view());
          run.steps(1, 40);
          run.ended("succeeded");
          shown.now(run.view());
        }
      }
      return spark.sparkContext().applicationId();
    }
  }

  private static ServerProcess server(Path logs, Path says, String classPath) throws Exception {
    int port = ServerProcess.freePort();
    return ServerProcess.start(
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
            "org.apache.spark.deploy.history.HistoryServer"));
  }

  private static String pages(ServerProcess server, String application) {
    return "http://127.0.0.1:%s/history/%s".formatted(server.port(), application);
  }

  /** The server reads its folder after it has begun to listen. */
  private static String awaited(String address) throws Exception {
    HttpResponse<String> page;
    int rounds = 0;
    do {
      Thread.sleep(200);
      page = SparkPage.get(address);
      rounds++;
    } while (page.statusCode() != 200 && rounds < 100);
    assertThat(page.statusCode()).as(page.body()).isEqualTo(200);
    return page.body();
  }
}
