package dev.anneal.spark.tracking.openlineage;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.tracking.TrackedProcess;
import java.io.File;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run in an application with OpenLineage's real listener, which writes its events to a file. */
@Tag("tracking")
class LineageIT {
  private static final String VERSION = "1.53.0";
  private static final Path HOME = Path.of(System.getProperty("anneal.home"));
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path dir;

  @Test
  void theRealListenerSendsTheRunWithItsRowsAndItsAdapter() throws Exception {
    Path file = dir.resolve("events.json");
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
    command.addAll(
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
            .filter(arg -> arg.startsWith("--add-opens") || arg.startsWith("-Xmx"))
            .toList());
    command.addAll(
        List.of(
            "-Danneal.home=" + HOME,
            "-Dspark.extraListeners=io.openlineage.spark.agent.OpenLineageSparkListener",
            "-Dspark.openlineage.transport.type=file",
            "-Dspark.openlineage.transport.location=" + file,
            "-Dspark.openlineage.namespace=tests",
            "-cp",
            jar()
                + File.pathSeparator
                + System.getProperty(
                    "surefire.test.class.path", System.getProperty("java.class.path")),
            TrackedProcess.class.getName(),
            "training.max_steps=3",
            "tracking.mlflow_uri=none",
            "output.path=" + dir.resolve("out")));
    Path says = dir.resolve("says.txt");
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(says.toFile()).start();
    try {
      assertThat(process.waitFor(15, TimeUnit.MINUTES)).isTrue();
    } finally {
      process.destroyForcibly();
    }
    assertThat(process.exitValue()).as(Files.readString(says)).isZero();
    List<JsonNode> ours = new ArrayList<>();
    List<String> others = new ArrayList<>();
    for (String line : Files.readAllLines(file)) {
      JsonNode event = JSON.readTree(line);
      if (event.at("/job/name").asText().endsWith(".anneal_train")) {
        ours.add(event);
      } else {
        others.add(event.at("/run/runId").asText());
      }
    }
    assertThat(ours)
        .extracting(event -> event.path("eventType").asText())
        .containsExactly("START", "COMPLETE");
    JsonNode end = ours.get(1);
    assertThat(end.at("/job/namespace").asText()).isEqualTo("tests");
    assertThat(end.at("/inputs/0/name").asText()).endsWith("conf/tiny/instructions.json");
    assertThat(end.at("/inputs/0/inputFacets/inputStatistics/rowCount").asLong()).isEqualTo(320);
    assertThat(end.at("/outputs/0/name").asText()).isEqualTo(dir.resolve("out/adapter").toString());
    assertThat(others)
        .as("the application's own events")
        .contains(end.at("/run/facets/parent/run/runId").asText());
  }

  private static Path jar() throws Exception {
    String name = "openlineage-spark_2.13-%s.jar".formatted(VERSION);
    Path jar = HOME.resolve("spark-job/target/openlineage").resolve(name);
    if (!Files.exists(jar)) {
      Files.createDirectories(jar.getParent());
      Path part = Files.createTempFile(jar.getParent(), "part", ".jar");
      URI central =
          URI.create(
              "https://repo1.maven.org/maven2/io/openlineage/openlineage-spark_2.13/%s/%s"
                  .formatted(VERSION, name));
      try (InputStream in = central.toURL().openStream()) {
        Files.write(part, in.readAllBytes());
      }
      Files.move(part, jar);
    }
    return jar;
  }
}
