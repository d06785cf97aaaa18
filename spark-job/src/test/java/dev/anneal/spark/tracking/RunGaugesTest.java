package dev.anneal.spark.tracking;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.output.Measured;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.spark.progress.RankEvent;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunGaugesTest {
  @TempDir Path output;

  @Test
  void sparksPrometheusPageShowsARunWhileItTrains() throws Exception {
    try (SparkSession spark =
        SparkSession.builder()
            .master("local[1]")
            .config("spark.ui.port", 0)
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config(
                "spark.metrics.conf.*.sink.prometheusServlet.class",
                "org.apache.spark.metrics.sink.PrometheusServlet")
            .config("spark.metrics.conf.*.sink.prometheusServlet.path", "/metrics/prometheus")
            .getOrCreate()) {
      URI page =
          URI.create(
              spark.sparkContext().uiWebUrl().get().replaceFirst("//[^:]*:", "//127.0.0.1:")
                  + "/metrics/prometheus/");
      List<String> said = new ArrayList<>();
      Tracking tracking = new Tracking(Told.run(output), said::add);
      tracking.begin(new MetricsLog());
      assertThat(number(page, "step")).isEqualTo("0.0");
      assertThat(number(page, "loss")).isEqualTo("NaN");
      tracking.accept(new RankEvent.Evaluation(0, 2.5));
      assertThat(number(page, "rank1_peakMemoryBytes")).isEqualTo("NaN");
      tracking.accept(new RankEvent.PeakMemory(List.of(1L << 20, 1L << 19)));
      tracking.accept(new RankEvent.Step(Measured.step(4)));
      tracking.checkpoint(4);
      assertThat(number(page, "step")).isEqualTo("4.0");
      assertThat(number(page, "steps")).isEqualTo("80.0");
      assertThat(number(page, "loss")).isEqualTo("0.5");
      assertThat(number(page, "evalLoss")).isEqualTo("2.5");
      assertThat(number(page, "tokensPerSecond")).isEqualTo("1234.5");
      assertThat(number(page, "peakMemoryBytes")).isEqualTo("1048576.0");
      assertThat(number(page, "rank0_peakMemoryBytes")).isEqualTo("1048576.0");
      assertThat(number(page, "rank1_peakMemoryBytes")).isEqualTo("524288.0");
      assertThat(number(page, "deviceMs")).as("of a step that was not timed").isEqualTo("NaN");
      assertThat(number(page, "checkpointStep")).isEqualTo("4.0");
      assertThat(Double.parseDouble(number(page, "checkpointAgeSeconds"))).isBetween(0.0, 60.0);
      tracking.end(new RunEnd(RunEnd.State.SUCCEEDED, null), Duration.ofSeconds(30));
      assertThat(text(page)).as("the session goes on without it").doesNotContain("anneal");
      assertThat(said).isEmpty();
    }
  }

  @Test
  void theAgeOfACheckpointGrows() {
    AtomicLong clock = new AtomicLong();
    try (RunGauges gauges = new RunGauges(80, 1, clock::get)) {
      clock.addAndGet(Duration.ofSeconds(7).toNanos());
      assertThat(gauges.metricRegistry().getGauges().get("checkpointAgeSeconds").getValue())
          .as("before the first since the start")
          .isEqualTo(7.0);
      gauges.checkpoint(10);
      clock.addAndGet(Duration.ofMillis(1500).toNanos());
      assertThat(gauges.metricRegistry().getGauges().get("checkpointAgeSeconds").getValue())
          .isEqualTo(1.5);
    }
  }

  private static String number(URI page, String name) throws Exception {
    String text = text(page);
    Matcher line =
        Pattern.compile("metrics_\\S*driver_anneal_" + name + "_Value\\{[^}]*} (\\S+)")
            .matcher(text);
    assertThat(line.find()).as(text).isTrue();
    return line.group(1);
  }

  private static String text(URI page) throws Exception {
    return HttpClient.newHttpClient()
        .send(HttpRequest.newBuilder(page).build(), BodyHandlers.ofString())
        .body();
  }
}
