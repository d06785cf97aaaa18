package dev.anneal.training;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A JVM with the tests' class path; closing it ends it. */
public final class JavaProcess implements AutoCloseable {
  /** For one that uses libtorch. */
  public static final List<String> WITH_LIBTORCH =
      List.of(
          "-Xmx1g",
          "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
          "-Dorg.bytedeco.javacpp.maxBytes=0");

  /** How a test loses one. */
  public interface Loss {
    /** Does it. */
    void strike(JavaProcess process) throws Exception;
  }

  private final Process process;
  private final Path log;

  private JavaProcess(Process process, Path log) {
    this.process = process;
    this.log = log;
  }

  /** Starts {@code main}; what it prints goes to {@code log}. */
  public static JavaProcess start(
      Class<?> main, Path log, List<String> jvmOptions, List<String> args) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(jvmOptions);
    // surefire's own class path is a jar that names the tests' one
    String classPath =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    command.addAll(List.of("-cp", classPath));
    command.add("-Danneal.shared=" + System.getProperty("anneal.shared"));
    command.add(main.getName());
    command.addAll(args);
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    return new JavaProcess(process, log);
  }

  public long pid() {
    return process.pid();
  }

  /** Its exit code once it has ended. */
  public int await(Duration timeout) throws IOException, InterruptedException {
    if (!process.waitFor(timeout.toSeconds(), TimeUnit.SECONDS)) {
      throw new AssertionError("still running after " + timeout + ":\n" + output());
    }
    return process.exitValue();
  }

  /** Ends it at once, without a word to anyone. */
  public void kill() {
    process.destroyForcibly();
    process.onExit().join();
  }

  /** Stops it from computing and answering, as a host that hangs does. */
  public void freeze() throws IOException, InterruptedException {
    new ProcessBuilder("kill", "-STOP", Long.toString(process.pid())).start().waitFor();
  }

  /** Returns when it has printed {@code word}. */
  public void await(String word, Duration timeout) throws IOException, InterruptedException {
    long start = System.nanoTime();
    while (!output().contains(word)) {
      if (System.nanoTime() - start > timeout.toNanos()) {
        throw new AssertionError("no \"%s\" after %s:\n%s".formatted(word, timeout, output()));
      }
      Thread.sleep(50);
    }
  }

  public String output() throws IOException {
    return Files.readString(log);
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
