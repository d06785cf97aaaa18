package dev.anneal.spark.sparkui;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.LocalSpark;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerEvent;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;

class ShownRunTest {

  @Test
  void theTabShowsRunsLiveAndAfterTheirEnd() throws Exception {
    try (SparkSession spark = LocalSpark.withPages(1).getOrCreate()) {
      ToldRun one = new ToldRun("file:/runs/one");
      try (ShownRun shown = begin(spark, "a", one)) {
        one.steps(1, 4);
        String page = SparkPage.get(SparkPage.of(spark) + "/anneal/").body();
        assertThat(page).contains("/anneal/report/\"", "<iframe", "href=\"/jobs/\"", ">Anneal<");
        assertThat(SparkPage.get(SparkPage.of(spark) + "/jobs/").body())
            .as("every page of Spark's leads there")
            .contains("href=\"/anneal/\"");
        assertThat(SparkPage.runs(spark))
            .contains(
                "<h1>one</h1>", ">running<", "step 4 of 400,000", "s3a://key:*********@bucket")
            .doesNotContain(ToldRun.SECRET)
            .as("rows of the data set")
            .doesNotContain("Who has the hat?");
        one.ended("succeeded");
        shown.now();
        one.steps(5, 9);
        assertThat(SparkPage.runs(spark)).contains(">succeeded<", "step 4 of", "0.4321");
      }
      ToldRun two = new ToldRun("file:/runs/two");
      try (ShownRun shown = begin(spark, "b", two)) {
        two.steps(1, 2);
        shown.now();
        assertThat(SparkPage.runs(spark)).contains("<h1>2 runs</h1>", "one", "two", ">running<");
      }
      assertThat(SparkPage.runs(spark))
          .as("what became of a run that did not end here is not known")
          .contains("<h1>one</h1>");
    }
  }

  @Test
  void theTabIsBehindTheFiltersOfSparksPages() throws Exception {
    try (SparkSession spark =
            LocalSpark.withPages(1)
                .config("spark.ui.filters", "dev.anneal.spark.cluster.NoPages")
                .getOrCreate();
        ShownRun shown = begin(spark, "a", new ToldRun("file:/runs/one"))) {
      for (String page : List.of("/anneal/", "/anneal/report/")) {
        assertThat(SparkPage.get(SparkPage.of(spark) + page).statusCode()).isEqualTo(403);
      }
    }
  }

  @Test
  void aLogOfWeeksHasAFewHundredEventsOfBoundedSize() throws Exception {
    try (SparkSession spark = LocalSpark.session(1)) {
      List<RunEvent> events = new CopyOnWriteArrayList<>();
      spark
          .sparkContext()
          .addSparkListener(
              new SparkListener() {
                @Override
                public void onOtherEvent(SparkListenerEvent event) {
                  if (event instanceof RunEvent run) {
                    events.add(run);
                  }
                }
              });
      AtomicLong clock = new AtomicLong();
      ToldRun run = new ToldRun("file:/runs/one");
      spark.sparkContext().conf().set("spark.eventLog.enabled", "true");
      try (ShownRun shown =
          new ShownRun(spark.sparkContext(), "a", run::view, ToldRun::masked, clock::get)) {
        shown.now();
        run.steps(1, 20_000);
        long round = Duration.ofMinutes(5).toNanos();
        for (long at = 0; at < Duration.ofDays(14).toNanos(); at += round) {
          clock.set(at);
          shown.now();
        }
        run.ended("failed");
        shown.now();
        shown.now();
      }
      spark.sparkContext().listenerBus().waitUntilEmpty();
      assertThat(events).hasSizeBetween(50, 300);
      assertThat(events).allMatch(event -> event.getRun().equals(events.get(0).getRun()));
      assertThat(events.subList(0, events.size() - 1))
          .allMatch(event -> event.getSnapshot().length() < 130_000);
      String last = events.get(events.size() - 1).getSnapshot();
      assertThat(last).contains("failed").doesNotContain(ToldRun.SECRET, "hat?");
      assertThat(last.length()).isLessThan(500_000);
      assertThat(events.stream().filter(event -> event.getSnapshot().contains("failed")))
          .hasSize(1);
    }
  }

  private static ShownRun begin(SparkSession spark, String id, ToldRun run) {
    return ShownRun.begin(spark.sparkContext(), id, run::view, ToldRun::masked);
  }
}
