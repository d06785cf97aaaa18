package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
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

  @Test
  void takesTheOptionsThatTheClusterDefaultsQuote() throws Exception {
    String home = System.getProperty("anneal.home");
    for (String cluster : List.of("k8s", "standalone", "yarn")) {
      assertRefused(
          submit(
              Map.of(),
              "run",
              "--properties-file",
              home + "/conf/spark-" + cluster + ".conf",
              "--load-spark-defaults",
              "--master",
              "local[2]",
              "--set",
              "lora.rank=8"),
          "did you mean lora.r?");
    }
  }

  @Test
  void addsItsJarsAndJavaOptionsToTheUsers() throws Exception {
    Path spark = sparkThatPrintsItsWords();
    String userOptions = "spark.executor.extraJavaOptions=-Xss8m";
    Said said =
        submit(
            Map.of("SPARK_HOME", spark.toString()),
            "run",
            "--jars",
            "mine.jar",
            "--conf",
            userOptions);
    assertThat(said.code()).as(said.text()).isZero();
    List<String> words = said.text().lines().toList();
    assertThat(words).containsOnlyOnce("--jars").contains(userOptions);
    assertThat(words.get(words.indexOf("--jars") + 1))
        .contains("training-core-", "-linux-x86_64.jar")
        .endsWith(".jar,mine.jar");
    assertThat(words)
        .filteredOn(word -> word.contains("-Dorg.bytedeco.javacpp.maxBytes=0"))
        .extracting(word -> word.substring(0, word.indexOf('=')))
        .containsExactly("spark.driver.defaultJavaOptions", "spark.executor.defaultJavaOptions");
  }

  @Test
  void takesNativeLibrariesFromTheNodesWhereTheyAre() throws Exception {
    Path spark = sparkThatPrintsItsWords();
    Said said =
        submit(
            Map.of("SPARK_HOME", spark.toString(), "ANNEAL_NATIVE_DIR", "/opt/natives"),
            "run",
            "--gpu");
    assertThat(said.code()).as(said.text()).isZero();
    List<String> words = said.text().lines().toList();
    assertThat(words)
        .containsSequence("--driver-class-path", "/opt/natives/*")
        .contains("spark.executor.extraClassPath=/opt/natives/*");
    assertThat(words.get(words.indexOf("--jars") + 1))
        .contains("training-core-")
        .doesNotContain("linux-x86_64");
    assertThat(words)
        .filteredOn(word -> word.contains("-Dorg.bytedeco.javacpp.platform.extension=-gpu"))
        .hasSize(2);
  }

  @Test
  void sendsTheConnectorForS3ToASparkThatLacksIt() throws Exception {
    Path jars = sparkThatPrintsItsWords().resolve("jars");
    assertThat(sentTo(jars)).as("a Hadoop that nothing tells of").doesNotContain("hadoop-aws-");
    Files.createFile(jars.resolve("hadoop-client-api-3.4.1.jar"));
    assertThat(sentTo(jars)).contains("/hadoop-aws-3.4.", "/sts-");
    Files.createFile(jars.resolve("hadoop-aws-3.4.1.jar"));
    assertThat(sentTo(jars)).as("a connector of its own").doesNotContain("hadoop-aws-", "/sts-");
  }

  private String sentTo(Path jars) throws IOException, InterruptedException {
    Said said = submit(Map.of("SPARK_HOME", jars.getParent().toString()), "run");
    assertThat(said.code()).as(said.text()).isZero();
    List<String> words = said.text().lines().toList();
    return words.get(words.indexOf("--jars") + 1);
  }

  @Test
  void refusesAFolderWithoutNativeLibraries() throws Exception {
    assertRefused(
        submit(Map.of(), "run", "--native-dir", "here"), folder.resolve("here") + " holds no");
  }

  /** A {@code SPARK_HOME} whose spark-submit prints what it is called with, a word a line. */
  private Path sparkThatPrintsItsWords() throws IOException {
    Path home = folder.resolve("spark");
    Files.createFile(
        Files.createDirectories(home.resolve("jars")).resolve("spark-core_2.13-4.0.0.jar"));
    Path bin = Files.createDirectories(home.resolve("bin"));
    Path submit =
        Files.writeString(bin.resolve("spark-submit"), "#!/bin/sh\nprintf '%s\\n' \"$@\"");
    assertThat(submit.toFile().setExecutable(true)).isTrue();
    return home;
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
    builder.environment().remove("ANNEAL_NATIVE_DIR");
    builder.environment().putAll(environment);
    Process process = builder.start();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Said(process.waitFor(), text);
  }
}
