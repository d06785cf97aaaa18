package dev.anneal.spark.kubernetes;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/** The process of a pod's container. */
final class PodProcess {
  private static final Path CONTAINER =
      Path.of(
          System.getProperty("anneal.home"), "spark-job/src/test/resources/kubernetes/container");

  private final Process process;
  private long killAtNanos;

  private PodProcess(Process process) {
    this.process = process;
  }

  /**
   * Starts it, on a root file system and with an environment of its own, as the user of the tests.
   *
   * @param root an empty folder
   * @param mounts folders and files of this machine by their place in the container
   */
  static PodProcess start(
      List<String> command,
      Map<String, String> environment,
      Map<String, Path> mounts,
      Path root,
      Path log)
      throws IOException {
    List<String> words =
        new ArrayList<>(
            List.of("unshare", "--mount", CONTAINER.toString(), Files.createDirectory(root) + ""));
    mounts.forEach((target, source) -> words.add(source + ":" + target));
    words.add("--");
    words.addAll(command);
    ProcessBuilder builder =
        new ProcessBuilder(words).redirectErrorStream(true).redirectOutput(log.toFile());
    builder.environment().clear();
    builder.environment().putAll(environment);
    return new PodProcess(builder.start());
  }

  /** What it has ended with; a process that a signal has ended, 128 and the signal's number. */
  OptionalInt exitCode() {
    return process.isAlive() ? OptionalInt.empty() : OptionalInt.of(process.exitValue());
  }

  /** Asks it to end now, and ends it after {@code grace}. */
  void terminate(Duration grace) {
    if (killAtNanos == 0) {
      killAtNanos = System.nanoTime() + grace.toNanos();
      process.destroy();
    } else if (System.nanoTime() - killAtNanos > 0) {
      kill();
    }
  }

  /** Ends it and all that it has started. */
  void kill() {
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
  }
}
