package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.anneal.spark.config.ConfigContext;
import dev.anneal.spark.config.ConfigLoader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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
    assertRefused(submit(Map.of("SPARK_HOME", "/none"), "run"), "/none", "holds no Spark");
  }

  @Test
  void saysWhyAJavaDoesNotStart() throws Exception {
    for (String name : List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")) {
      assertRefused(
          submit(Map.of(name, "-Xmx1x"), "run"),
          "does not start (Invalid maximum heap size: -Xmx1x",
          "correct what " + name + " says");
    }
    assertRefused(
        execute(
            "bash",
            Map.of(),
            "-c",
            "mkdir gone && cd gone && rmdir ../gone && exec %s run 2> >(grep -v ^shell-init: >&2)"
                .formatted(SCRIPT)),
        "the working directory is gone");
  }

  /** Options that a JVM does not take twice, or not beside those that the script adds. */
  @ParameterizedTest
  @CsvSource({
    "JAVA_TOOL_OPTIONS, -XX:+UseG1GC -Xms512m",
    "_JAVA_OPTIONS, -XX:+UseParallelGC",
    "JDK_JAVA_OPTIONS, -Xshare:off",
  })
  void takesTheUsersOptionsOfJava(String name, String options) throws Exception {
    Said said = submit(Map.of(name, options), "run", "--set", "lora.rank=8");
    assertThat(said.code()).as(said.text()).isEqualTo(2);
    assertThat(said.text()).contains("did you mean lora.r?");
  }

  @Test
  void takesTheUsersCollectorOfTheDriver() throws Exception {
    String option = "spark.driver.extraJavaOptions=-XX:+UseG1GC";
    assertRefused(
        submit(Map.of(), "run", "--set", "lora.rank=8", "--conf", option), "did you mean lora.r?");
  }

  @Test
  void saysThatTheLauncherOfSparkHasSaidNothing() throws Exception {
    Path bin = Files.createDirectories(folder.resolve("java/bin"));
    String real = ProcessHandle.current().info().command().orElseThrow();
    Path java =
        Files.writeString(
            bin.resolve("java"),
            "#!/bin/sh\ncase \"$*\" in *launcher.Main*) exit 0 ;; *) exec %s \"$@\" ;; esac"
                .formatted(real));
    assertThat(java.toFile().setExecutable(true)).isTrue();
    Said said = submit(Map.of("JAVA_HOME", folder.resolve("java").toString()), "run");
    assertThat(said.code()).isEqualTo(1);
    assertThat(said.text().strip())
        .isEqualTo("anneal: Spark's launcher has failed: what it says, if anything, stands above.");
  }

  /** As a small image has it; it ends if it is asked to archive classes. */
  @Test
  @Tag("faults")
  void runsOnAJavaThatHasNoArchiveOfItsOwnClasses() throws Exception {
    Path java = folder.resolve("java");
    String jlink = Path.of(System.getProperty("java.home"), "bin", "jlink").toString();
    Said linked =
        execute(jlink, Map.of(), "--add-modules", "ALL-MODULE-PATH", "--output", java.toString());
    assertThat(linked.code()).as(linked.text()).isZero();
    assertThat(java.resolve("lib/server/classes.jsa")).doesNotExist();
    Said said =
        submit(
            Map.of("JAVA_HOME", java.toString()),
            "prep",
            "--config",
            SubmittedJob.recipe().toString(),
            "--set",
            "output.path=" + folder.resolve("out"));
    assertThat(said.code()).as(said.text()).isZero();
  }

  @Test
  void isFoundInAFolderWhoseNameIsAPattern() throws Exception {
    Path spark = folder.resolve("spark [1]*?");
    Files.move(sparkThatPrintsItsWords(), spark);
    assertThat(submit(Map.of("SPARK_HOME", spark.toString()), "run").code()).isZero();
    assertRefused(
        submit(Map.of("TMPDIR", folder.resolve("a:b").toString()), "run"), "a:b'", "class paths");
  }

  @Test
  void theExitCodeIsTheRunsWhateverCannotBeRemoved() throws Exception {
    Path bin = Files.createDirectories(folder.resolve("bin"));
    Path rm = Files.writeString(bin.resolve("rm"), "#!/bin/sh\nexit 1");
    assertThat(rm.toFile().setExecutable(true)).isTrue();
    String path = bin + ":" + System.getenv("PATH");
    assertRefused(
        submit(Map.of("PATH", path), "run", "--set", "lora.rank=8"), "did you mean lora.r?");
  }

  @ParameterizedTest
  @CsvSource({
    "ulimit -n 256, 256 open files",
    "ulimit -v 4000000, 3906 MiB of address space",
    "ulimit -d 1000000, 976 MiB of data in memory",
    "ulimit -f 102400, write files of 100 MiB",
  })
  void refusesLimitsThatSparkDoesNotGetAlongWith(String limit, String words) throws Exception {
    Said said = execute("bash", Map.of(), "-c", limit + "; exec " + SCRIPT + " run");
    assertRefused(said, words, limit.substring(0, 9));
  }

  @Test
  void refusesAUserWithoutAnAccount() throws Exception {
    assumeThat(ProcessHandle.current().info().user()).hasValue("root");
    Said said =
        execute("setpriv", Map.of(), "--reuid=54321", "--clear-groups", "bash", SCRIPT, "run");
    assertRefused(said, "the user id 54321 has no account");
  }

  @Test
  void saysThatItHasNoFolderToWorkIn() throws Exception {
    assertRefused(submit(Map.of("TMPDIR", "/none"), "run"), "'/none'", "set TMPDIR");
  }

  /** Numbers of an Arabic locale are written with other digits. */
  @Test
  void preparesUnderAnyNameInAnyLocale() throws Exception {
    assertThat(anywhere("prep", "--show", "1").text()).contains("[");
    assertThat(folder.resolve("böse ✓/résultat/dataset/part-00000.arrow")).exists();
  }

  @Test
  @Tag("faults")
  void trainsUnderAnyNameInAnyLocale() throws Exception {
    assertThat(anywhere("run").text()).contains("step 4/4");
    assertThat(folder.resolve("böse ✓/résultat/adapter/adapter_model.safetensors")).exists();
    assertThat(folder.resolve("böse ✓/résultat/checkpoints/step-00000004/manifest.json")).exists();
  }

  /** Carries a command out where nothing has a name in ASCII. */
  private Said anywhere(String... command) throws Exception {
    Path place = Files.createDirectories(folder.resolve("böse ✓"));
    Path tiny = SubmittedJob.recipe().resolveSibling("tiny");
    Path model = Files.createDirectories(place.resolve("模型"));
    try (Stream<Path> files = Files.list(tiny.resolve("model"))) {
      for (Path file : files.toList()) {
        Files.copy(file, model.resolve(file.getFileName()));
      }
    }
    Files.copy(tiny.resolve("instructions.json"), place.resolve("строки.json"));
    String recipe =
        Files.readString(SubmittedJob.recipe())
            .replace("${conf}/tiny/model", model.toString())
            .replace("${conf}/tiny/instructions.json", place.resolve("строки.json").toString());
    Path config = Files.writeString(place.resolve("réglage.yaml"), recipe);
    String arabic = "-Duser.language=ar -Duser.country=EG -Duser.extensions=u-nu-arab";
    List<String> args = new ArrayList<>(List.of(command));
    args.addAll(List.of("--config", config.toString(), "--set", "training.max_steps=4"));
    args.addAll(List.of("--set", "output.path=" + place.resolve("résultat")));
    args.addAll(List.of("--set", "checkpoint.every_steps=2"));
    args.addAll(List.of("--conf", "spark.driver.extraJavaOptions=" + arabic));
    args.addAll(List.of("--conf", "spark.executor.extraJavaOptions=" + arabic));
    Said said =
        submit(
            Map.of("TMPDIR", place.toString(), "LC_ALL", "C", "LANG", "C"),
            args.toArray(String[]::new));
    assertThat(said.code()).as(said.text()).isZero();
    return said;
  }

  @Test
  void namesACacheThatCannotBeUsed() throws Exception {
    Path home = Files.createFile(folder.resolve("home"));
    Said said =
        submit(
            Map.of("DJL_CACHE_DIR", home.toString()),
            "prep",
            "--config=" + SubmittedJob.recipe(),
            "--set=output.path=out");
    assertThat(said.code()).as(said.text()).isEqualTo(1);
    assertThat(said.text().lines()).singleElement().asString().startsWith("anneal: ");
    assertThat(said.text()).contains("below " + home, "set DJL_CACHE_DIR to a folder");
  }

  @Test
  void readsNoPipe() throws Exception {
    String run = "mkfifo pipe; exec timeout 60 %s run --set output.path=out ".formatted(SCRIPT);
    for (String option :
        List.of(
            "--config <(echo)",
            "--config pipe",
            "--config %s --set data.source=pipe".formatted(SubmittedJob.recipe()))) {
      Said said = execute("bash", Map.of(), "-c", run + option);
      assertThat(said.code()).as(said.text()).isEqualTo(2);
      assertThat(said.text()).contains("no regular file");
      Files.delete(folder.resolve("pipe"));
    }
  }

  @Test
  void refusesALineOfSparkThatItHasNoJarFor() throws Exception {
    String spark = spark("spark-core_2.12-3.3.2.jar").toString();
    assertRefused(
        submit(Map.of("SPARK_HOME", spark), "run"),
        spark,
        "Spark 3.3 with Scala 2.12",
        "3.5_2.12, 3.5_2.13, 4.0_2.13, 4.1_2.13, 4.2_2.13");
    assertRefused(
        submit(Map.of("ANNEAL_SPARK_LINE", "5.0_3"), "run"), "Spark 5.0 with Scala 3", "4.2_2.13");
  }

  @Test
  void anInstallationSendsTheJarOfTheLineOfSpark() throws Exception {
    Path home = installation("3.5_2.12", "4.0_2.13");
    Files.createFile(
        Files.createDirectories(home.resolve("natives/gpu")).resolve("anneal-natives-gpu-9.jar"));
    String script = home.resolve("bin/anneal").toString();
    // as EMR names its own builds
    Path spark = spark("spark-core_2.12-3.5.5-amzn-0.jar");
    Said said = execute(script, Map.of("SPARK_HOME", spark.toString()), "run", "--gpu");
    assertThat(said.code()).as(said.text()).isZero();
    List<String> words = said.text().lines().toList();
    assertThat(words)
        .containsSequence("--jars", home + "/natives/gpu/anneal-natives-gpu-9.jar")
        .endsWith(home + "/jars/anneal-spark-runtime-3.5_2.12-9.jar", "run");
    assertRefused(
        execute(script, Map.of("SPARK_HOME", spark.toString()), "run"),
        home + "/natives/cpu",
        "anneal-natives-cpu-");
    assertRefused(
        execute(
            script,
            Map.of("SPARK_HOME", spark("spark-core_2.13-4.2.0.jar").toString()),
            "run",
            "--gpu"),
        "Spark 4.2 with Scala 2.13",
        "there are jars for 3.5_2.12, 4.0_2.13:");
  }

  @Test
  void leavesLoggingToASparkThatHasItsOwn() throws Exception {
    Path spark = sparkThatPrintsItsWords();
    Map<String, String> environment = Map.of("SPARK_HOME", spark.toString());
    assertThat(submit(environment, "run").text())
        .contains("spark.log.level=WARN", "-Dlog4j2.configurationFile=\"file:");
    assertThat(submit(environment, "run", "--deploy-mode", "cluster").text())
        .contains("spark.log.level=WARN")
        .doesNotContain("configurationFile");
    Files.createFile(Files.createDirectories(spark.resolve("conf")).resolve("log4j2.properties"));
    assertThat(submit(environment, "run").text())
        .doesNotContain("spark.log.level", "configurationFile");
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
    for (String cluster : List.of("kubernetes", "standalone", "yarn")) {
      assertRefused(
          submit(
              Map.of(),
              "run",
              "--properties-file",
              home + "/deploy/" + cluster + "/spark.conf",
              "--load-spark-defaults",
              "--master",
              "local[2]",
              "--set",
              "lora.rank=8"),
          "did you mean lora.r?");
    }
  }

  @Test
  void addsItsJarsToTheUsers() throws Exception {
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
  }

  @Test
  void sendsAConfigurationAlongWhereTheDriverRunsInTheCluster() throws Exception {
    Map<String, String> spark = Map.of("SPARK_HOME", sparkThatPrintsItsWords().toString());
    Path recipe = Files.writeString(folder.resolve("my ünal.yaml"), "lora: {r: 8}");
    String given = recipe.toString();
    assertThat(submit(spark, "run", "--config", given).text().lines().toList()).contains(given);
    List<String> words =
        submit(spark, "run", "--deploy-mode", "cluster", "--config", given).text().lines().toList();
    String sent = words.get(words.indexOf("--config") + 1);
    assertThat(sent).startsWith("data:application/yaml;name=%2f");
    assertThat(new ConfigLoader(ConfigContext.ofProcess()).file(sent).load().lora().r())
        .isEqualTo(8);
    assertThat(words).contains("spark.standalone.submit.waitAppCompletion=true");
    String option = "spark.driver.extraJavaOptions=--add-opens=java.base/java.nio=ALL-UNNAMED";
    assertThat(words).as("only a standalone worker leaves it out").doesNotContain(option);
    assertThat(
            submit(spark, "run", "--deploy-mode", "cluster", "--master", "spark://m:7077").text())
        .contains(option);
    String elsewhere = "--config=s3a://bucket/my.yaml";
    assertThat(submit(spark, "run", "--deploy-mode=cluster", elsewhere).text().lines().toList())
        .contains(elsewhere);
    Files.writeString(recipe, " ".repeat(70_000));
    assertRefused(submit(spark, "run", "--deploy-mode=cluster", "--config", given), "64 KiB");
  }

  @Test
  void givesAnApplicationMasterWhatItReadsBeforeAnneal() throws Exception {
    Path spark = sparkThatPrintsItsWords();
    Map<String, String> environment = Map.of("SPARK_HOME", spark.toString());
    String failures = "spark.executor.maxNumFailures=";
    String within = "spark.executor.failuresValidityInterval=1h";
    String once = "spark.yarn.maxAppAttempts=1";
    String[] asked = {"run", "--master", "yarn", "--deploy-mode", "cluster"};
    assertThat(submit(environment, asked).text()).contains(failures + "1000", within, once);
    assertThat(submit(environment, "run", "--master", "yarn").text())
        .as("a client reads what Anneal sets")
        .doesNotContain(failures, within, once);

    Path mine =
        Files.writeString(
            folder.resolve("my.conf"),
            """
            spark.master\tyarn
              spark.submit.deployMode : cluster\r
            spark.yarn.max.executor.failures = 7
            spark.yarn.maxAppAttempts 2
            spark.log.level\tERROR
            """);
    Said said = submit(environment, "run", "--properties-file", mine.toString());
    assertThat(said.text())
        .contains(within)
        .doesNotContain(failures, once, "spark.log.level=", "configurationFile");
    assertThat(
            submit(environment, "run", "--properties-file=" + mine, "--deploy-mode=client").text())
        .contains("configurationFile");

    Path defaults = Files.createDirectories(spark.resolve("conf")).resolve("spark-defaults.conf");
    Files.copy(mine, defaults);
    assertThat(submit(environment, "run", "--conf=spark.executor.maxNumFailures=9").text())
        .contains(within)
        .containsOnlyOnce(failures);
    Files.writeString(mine, "");
    assertThat(submit(environment, "run", "--properties-file", mine.toString()).text())
        .as("a file in the place of the defaults")
        .doesNotContain(within);
    assertThat(
            submit(
                    environment,
                    "run",
                    "--properties-file",
                    mine.toString(),
                    "--load-spark-defaults")
                .text())
        .contains(within)
        .doesNotContain(once);
  }

  @Test
  void leavesADriverOnAWorkerTheOptionsThatAFileHas() throws Exception {
    Map<String, String> environment = Map.of("SPARK_HOME", sparkThatPrintsItsWords().toString());
    Path mine =
        Files.writeString(
            folder.resolve("my.conf"),
            "spark.submit.deployMode\tcluster\nspark.master\tspark://m:7077\n");
    String[] words = {"run", "--properties-file", mine.toString()};
    String option = "spark.driver.extraJavaOptions=";
    assertThat(submit(environment, words).text()).contains(option + "--add-opens=");
    Files.writeString(mine, "spark.driver.extraJavaOptions\t-Xss8m\n", StandardOpenOption.APPEND);
    assertThat(submit(environment, words).text()).doesNotContain(option);
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
    return spark("spark-core_2.13-4.1.0.jar");
  }

  private Path spark(String core) throws IOException {
    Path home = folder.resolve("spark-" + core);
    Files.createFile(Files.createDirectories(home.resolve("jars")).resolve(core));
    Path bin = Files.createDirectories(home.resolve("bin"));
    Path submit =
        Files.writeString(bin.resolve("spark-submit"), "#!/bin/sh\nprintf '%s\\n' \"$@\"");
    assertThat(submit.toFile().setExecutable(true)).isTrue();
    return home;
  }

  /** An installation as far as the script looks at it. */
  private Path installation(String... lines) throws IOException {
    Path home = folder.resolve("anneal-9");
    Path jars = Files.createDirectories(home.resolve("jars"));
    for (String line : lines) {
      Files.createFile(jars.resolve("anneal-spark-runtime-%s-9.jar".formatted(line)));
    }
    Path bin = Files.createDirectories(home.resolve("bin"));
    Files.copy(Path.of(SCRIPT), bin.resolve("anneal"), StandardCopyOption.COPY_ATTRIBUTES);
    return home;
  }

  private static void assertRefused(Said said, String... parts) {
    assertThat(said.code()).as(said.text()).isEqualTo(2);
    assertThat(said.text().lines()).singleElement().asString().startsWith("anneal: ");
    assertThat(said.text()).contains(parts);
  }

  private Said submit(Map<String, String> environment, String... args)
      throws IOException, InterruptedException {
    return execute(SCRIPT, environment, args);
  }

  private Said execute(String script, Map<String, String> environment, String... args)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(script));
    command.addAll(List.of(args));
    ProcessBuilder builder =
        new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true);
    builder.environment().remove("SPARK_HOME");
    builder.environment().remove("ANNEAL_NATIVE_DIR");
    builder.environment().remove("ANNEAL_SPARK_LINE");
    builder.environment().putAll(environment);
    Process process = builder.start();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Said(process.waitFor(), text);
  }
}
