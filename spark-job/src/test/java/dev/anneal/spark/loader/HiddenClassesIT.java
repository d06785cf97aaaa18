package dev.anneal.spark.loader;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.UnchangedSpark;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The data preparation in a session whose threads know Spark's classes alone. */
class HiddenClassesIT {
  private static final Path HOME = Path.of(System.getProperty("anneal.home"));
  private static final int MINUTES = 4;

  @TempDir Path folder;

  @Test
  void resultsAndRefusalsOfTasksReachTheDriverNevertheless() throws Exception {
    Path template = folder.resolve("template.jinja");
    Files.writeString(
        template, "{{ messages|length }}{% for m in messages %}{{ m.content }}{% endfor %}");
    List<String> said =
        run(
            settings("good", "data.eval_rows=3"),
            settings("refused", "data.template=" + template),
            settings("broken", "data.source=" + brokenRows()));
    assertThat(said).hasSize(4);
    // without it the test would show nothing
    assertThat(said.get(0)).startsWith("plain: ").contains("ClassNotFound");
    assertThat(said.get(1)).matches("prepared: \\d+ and 3");
    assertThat(said.get(2))
        .startsWith("refused: The chat template writes the beginning of a conversation differently")
        .contains("(seen at row ");
    assertThat(said.get(3)).startsWith("refused: ").contains("broken.json");
  }

  private Path brokenRows() throws IOException {
    return Files.writeString(folder.resolve("broken.json"), "[{\"instruction\": \"a\", ]");
  }

  private String settings(String output, String more) {
    return String.join(
        ";",
        "model.tokenizer=" + HOME.resolve("conf/tiny/model"),
        "data.source=" + HOME.resolve("conf/tiny/instructions.json"),
        "output.path=" + folder.resolve(output),
        more);
  }

  /** What the probe says, which has its jars by {@code --jars} alone. */
  private List<String> run(String... settings) throws Exception {
    Path spark = UnchangedSpark.home("4.1");
    List<String> command =
        new ArrayList<>(
            List.of(
                spark.resolve("bin/spark-submit").toString(),
                "--master",
                "local-cluster[1,1,1024]",
                "--conf",
                "spark.ui.enabled=false",
                "--class",
                HiddenClassesProbe.class.getName(),
                "--jars",
                jars(),
                probe().toString()));
    command.addAll(List.of(settings));
    Path out = folder.resolve("out.txt");
    Path err = folder.resolve("err.txt");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
    builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
    builder.environment().put("SPARK_WORKER_DIR", folder.resolve("work").toString());
    builder.environment().put("SPARK_HOME", spark.toString());
    Process process = builder.directory(folder.toFile()).start();
    try {
      assertThat(process.waitFor(MINUTES, TimeUnit.MINUTES)).isTrue();
    } finally {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly();
    }
    assertThat(process.exitValue()).as(Files.readString(err)).isZero();
    return Files.readAllLines(out);
  }

  private static String jars() throws IOException {
    try (Stream<Path> jars = Files.list(HOME.resolve("spark-job/target/app"))) {
      return jars.map(Path::toString).collect(Collectors.joining(","));
    }
  }

  private Path probe() throws IOException {
    Path jar = folder.resolve("probe.jar");
    Path classes = HOME.resolve("spark-job/target/test-classes");
    Path own = classes.resolve(HiddenClassesProbe.class.getPackageName().replace('.', '/'));
    try (OutputStream file = Files.newOutputStream(jar);
        JarOutputStream out = new JarOutputStream(file);
        Stream<Path> found = Files.list(own)) {
      for (Path each : found.toList()) {
        out.putNextEntry(new JarEntry(classes.relativize(each).toString()));
        Files.copy(each, out);
        out.closeEntry();
      }
    }
    return jar;
  }
}
