package dev.anneal.spark.generate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.Anneal;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** {@code generate} on the bundled model, in a session that is there. */
final class Commands {
  static final String MODEL =
      Path.of(System.getProperty("anneal.home"), "conf", "tiny", "model").toString();
  private static final ObjectMapper JSON = new ObjectMapper();

  private Commands() {}

  /** How a command has ended. */
  record Executed(int code, String out, String err) {
    /** What a command has printed that has succeeded. */
    List<JsonNode> lines() throws IOException {
      assertThat(code).as(err).isZero();
      return parse(out);
    }
  }

  static Executed generate(String... args) {
    return generate(said -> {}, args);
  }

  /** Same as {@link #generate(Consumer, String...)}, with a standard input of its own. */
  static Executed generate(Consumer<String> hearing, InputStream in, String... args) {
    InputStream before = System.in;
    System.setIn(in);
    try {
      return generate(hearing, args);
    } finally {
      System.setIn(before);
    }
  }

  /**
   * Carries out a command.
   *
   * @param hearing told all that standard error has had, whenever there is more
   */
  static Executed generate(Consumer<String> hearing, String... args) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    OutputStream heard =
        new OutputStream() {
          @Override
          public void write(int b) {
            err.write(b);
          }

          @Override
          public void flush() {
            hearing.accept(err.toString(UTF_8));
          }
        };
    List<String> all = new ArrayList<>(List.of("generate"));
    all.addAll(List.of(args));
    if (!all.contains("--model")) {
      all.addAll(List.of("--model", MODEL));
    }
    if (!all.contains("--max-tokens")) {
      all.addAll(List.of("--max-tokens", "24"));
    }
    int code =
        Anneal.execute(
            all.toArray(String[]::new),
            new PrintStream(out, true, UTF_8),
            new PrintStream(heard, true, UTF_8));
    return new Executed(code, out.toString(UTF_8), err.toString(UTF_8));
  }

  /** Starts a command in a process of its own. */
  static Process process(String... args) throws IOException {
    // a build in the background of a shell ignores it, and so would its children
    List<String> command = new ArrayList<>(List.of("env", "--default-signal=INT"));
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(argument -> argument.startsWith("--add-"))
        .forEach(command::add);
    command.addAll(List.of("-Xmx512m", "-Dspark.master=local[2]", "-Dspark.ui.enabled=false"));
    command.add("-Dspark.driver.bindAddress=127.0.0.1");
    command.add("-Dspark.driver.host=127.0.0.1");
    command.add("-cp");
    command.add(
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")));
    command.addAll(List.of(Anneal.class.getName(), "generate"));
    command.addAll(List.of(args));
    if (!command.contains("--model")) {
      command.addAll(List.of("--model", MODEL));
    }
    return new ProcessBuilder(command).start();
  }

  /** Sends a process a signal, as {@code INT}. */
  static void signal(String name, Process process) throws IOException, InterruptedException {
    Process kill = new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start();
    if (kill.waitFor() != 0) {
      throw new IOException("kill ended with " + kill.exitValue());
    }
  }

  static List<JsonNode> parse(String text) throws IOException {
    List<JsonNode> lines = new ArrayList<>();
    for (String line : text.lines().toList()) {
      lines.add(JSON.readTree(line));
    }
    return lines;
  }
}
