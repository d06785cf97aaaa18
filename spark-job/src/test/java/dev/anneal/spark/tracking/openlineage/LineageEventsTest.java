package dev.anneal.spark.tracking.openlineage;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.tracking.RunEnd;
import dev.anneal.spark.tracking.Told;
import java.nio.file.Path;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LineageEventsTest {
  private static final RunEnd SUCCEEDED = new RunEnd(RunEnd.State.SUCCEEDED, null);

  @TempDir Path output;

  @ParameterizedTest
  @CsvSource({
    "s3a://bucket/rows/a.json, s3://bucket, rows/a.json",
    "gs://bucket/rows, gs://bucket, rows",
    "hdfs://name:8020/rows/, hdfs://name:8020, /rows",
    "abfss://box@host.dfs.core.windows.net/rows, abfss://box@host.dfs.core.windows.net, /rows",
    "file:/rows/a.json, file, /rows/a.json",
    "file:///rows/a.json, file, /rows/a.json",
    "/rows/*.json, file, /rows/*.json",
    "hub:datasets/org/name, hub, datasets/org/name",
    "table:main.sales.rows, table, main.sales.rows"
  })
  void namesDatasetsByOpenLineagesRules(String source, String namespace, String name)
      throws Exception {
    JsonNode input = event(source, null).at("/inputs/0");
    assertThat(input.path("namespace").asText()).isEqualTo(namespace);
    assertThat(input.path("name").asText()).isEqualTo(name);
  }

  @Test
  void aRunThatHasFailedHasNoOutputAndNoSecret() throws Exception {
    JsonNode event = event("rows.json", new RunEnd(RunEnd.State.FAILED, "No access with hunter2."));
    assertThat(event.path("eventType").asText()).isEqualTo("FAIL");
    assertThat(event.path("outputs")).isEmpty();
    assertThat(event.at("/run/facets/errorMessage/message").asText())
        .isEqualTo("No access with *********.");
    assertThat(event("rows.json", SUCCEEDED).at("/outputs/0/name").asText())
        .isEqualTo(output + "/adapter");
    assertThat(event("rows.json", SUCCEEDED).at("/run/facets").has("errorMessage")).isFalse();
  }

  private JsonNode event(String source, RunEnd end) throws Exception {
    LineageEvents events =
        new LineageEvents(
            Told.run(output, "data.source=" + source), "0199a1b2-0000-7000-8000-000000000000");
    return new ObjectMapper()
        .readTree(
            events.json(
                new LineageEvents.Application(
                    "default", "anneal", "0199a1b2-0000-7000-8000-000000000001"),
                end,
                Instant.parse("2026-11-30T08:00:00Z")));
  }
}
