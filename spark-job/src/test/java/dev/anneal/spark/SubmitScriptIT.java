package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code submit.sh} itself says, without Spark, and how exit codes come through Spark. */
class SubmitScriptIT {
  private static final String SCRIPT = System.getProperty("anneal.home") + "/submit.sh";

  @TempDir Path folder;

  private record Said(int code, String text) {}

  @Test
  void helpsWhoeverAsks() throws Exception {
    assertThat(submit(Map.of(), "--help"))
        .satisfies(said -> assertThat(said.code()).isZero())
        .satisfies(said -> assertThat(said.text()).contains("run", "--config", "spark-submit"));
    assertThat(submit(Map.of()).code()).isEqualTo(2);
  }

  @Test
  void refusesWhatSparkSubmitWouldMisunderstand() throws Exception {
    assertRefused(submit(Map.of(), "run", "conf/tiny.yaml"), "'conf/tiny.yaml'", "--config FILE");
    assertRefused(submit(Map.of(), "run", "--config"), "--config needs a value");
    assertRefused(submit(Map.of(), "run", "--fast"), "--fast", "--help");
  }

  @Test
  void refusesAJavaOrASparkThatIsNotThere() throws Exception {
    assertRefused(submit(Map.of("JAVA_HOME", "/none"), "run"), "/none/bin/java", "JDK 17");
    assertRefused(submit(Map.of("SPARK_HOME", "/none"), "run"), "/none", "Spark 4");
  }

  @Test
  void passesOnWhatAnnealRefuses() throws Exception {
    assertRefused(submit(Map.of(), "run", "--set", "lora.rank=8"), "did you mean lora.r?");
    assertRefused(
        submit(
            Map.of(),
            "run",
            "--config=" + SubmittedJob.recipe(),
            "--set=output.path=out",
            "--conf",
            "spark.dynamicAllocation.enabled=true"),
        "spark.dynamicAllocation.enabled=false");
  }

  private static void assertRefused(Said said, String... parts) {
    assertThat(said.code()).as(said.text()).isEqualTo(2);
    assertThat(said.text().lines()).singleElement().asString().startsWith("anneal: ");
    assertThat(said.text()).contains(parts);
  }

  private Said submit(Map<String, String> environment, String... args)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(SCRIPT));
    command.addAll(List.of(args));
    ProcessBuilder builder =
        new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true);
    builder.environment().remove("SPARK_HOME");
    builder.environment().putAll(environment);
    Process process = builder.start();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Said(process.waitFor(), text);
  }
}
