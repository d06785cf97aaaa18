package dev.anneal.spark.sparkui;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.LocalSpark;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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
    try (HistoryPages pages = HistoryPages.of(application, logs, dir.resolve("with.txt"), ours)) {
      assertThat(pages.get("/anneal/report/"))
          .contains("<h1>2 runs</h1>", ">succeeded<", "one", "two", "\"x\":[1,2,3,")
          .doesNotContain(ToldRun.SECRET, "Who has the hat?");
      assertThat(pages.get("/jobs/"))
          .contains("count at RunHistoryIT", "/history/%s/anneal/\"".formatted(application));
      assertThat(pages.get("/anneal/"))
          .contains("src=\"/history/%s/anneal/report/\"".formatted(application));
    }
    String sparks = HOME.resolve("spark-job/target/spark-home/jars") + "/*";
    Path says = dir.resolve("without.txt");
    try (HistoryPages pages = HistoryPages.of(application, logs, says, sparks)) {
      assertThat(pages.get("/jobs/"))
          .contains("count at RunHistoryIT", "/stages/")
          .doesNotContain("/anneal/");
      assertThat(says).content().contains("unrecognized event").contains("RunEvent");
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
          shown.now();
          run.steps(1, 40);
          run.ended("succeeded");
          shown.now();
        }
      }
      return spark.sparkContext().applicationId();
    }
  }
}
