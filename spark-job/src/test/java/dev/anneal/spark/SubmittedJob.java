package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;

/** A run of {@code submit.sh}, in a process of its own. */
public final class SubmittedJob implements AutoCloseable {
  private static final Path HOME = Path.of(System.getProperty("anneal.home"));
  private static final Duration A_MOMENT = Duration.ofSeconds(10);
  private static final Duration PATIENCE = Duration.ofMinutes(4);

  private final Process process;
  private final Path out;
  private final Path err;
  private final Path scratch;

  private SubmittedJob(Process process, Path out, Path err, Path scratch) {
    this.process = process;
    this.out = out;
    this.err = err;
    this.scratch = scratch;
  }

  /** Starts it on the embedded cluster. */
  public static SubmittedJob start(Path workingFolder, String... args) throws IOException {
    return start(workingFolder, Map.of(), args);
  }

  /**
   * Starts it with these environment variables in addition, and none of the developer's for AWS and
   * Spark: on the embedded cluster, unless one of them says otherwise.
   */
  public static SubmittedJob start(
      Path workingFolder, Map<String, String> environment, String... args) throws IOException {
    ProcessBuilder place = new ProcessBuilder();
    place.environment().keySet().removeIf(name -> name.startsWith("AWS_"));
    place.environment().remove("SPARK_HOME");
    place.environment().putAll(environment);
    return start(workingFolder, place, List.of(args));
  }

  /**
   * Starts it where {@code place} runs its command.
   *
   * @param place the environment, and the words to put before the command
   */
  public static SubmittedJob start(Path workingFolder, ProcessBuilder place, List<String> args)
      throws IOException {
    List<String> command = new ArrayList<>(place.command());
    command.add(HOME.resolve("submit.sh").toString());
    return startCommand(workingFolder, place.command(command), args);
  }

  /** Starts a command of one's own that stands in for {@code submit.sh}. */
  public static SubmittedJob startCommand(
      Path workingFolder, ProcessBuilder place, List<String> args) throws IOException {
    Path folder = Files.createTempDirectory(workingFolder, "job");
    Path scratch = Files.createDirectory(folder.resolve("scratch"));
    List<String> command = new ArrayList<>(place.command());
    command.addAll(args);
    Path out = folder.resolve("out.txt");
    Path err = folder.resolve("err.txt");
    ProcessBuilder builder =
        place
            .command(command)
            .directory(workingFolder.toFile())
            .redirectOutput(out.toFile())
            .redirectError(err.toFile());
    builder.environment().put("TMPDIR", scratch.toString());
    return new SubmittedJob(builder.start(), out, err, scratch);
  }

  public static Path recipe() {
    return HOME.resolve("conf/tiny.yaml");
  }

  /** Waits for its end; returns its exit code. */
  public int await() throws InterruptedException, IOException {
    return await(PATIENCE);
  }

  /** Waits for its end; returns its exit code, and fails if it does not end in time. */
  public int await(Duration patience) throws InterruptedException, IOException {
    assertThat(process.waitFor(patience.toSeconds(), TimeUnit.SECONDS))
        .as("it ends%n%s%n%s", out(), err())
        .isTrue();
    return process.exitValue();
  }

  public void awaitOutput(String text) throws InterruptedException, IOException {
    awaitOutput(text, PATIENCE);
  }

  /** Waits until it has printed the text; fails if it does not in time. */
  public void awaitOutput(String text, Duration patience) throws InterruptedException, IOException {
    await(() -> outHas(text), patience);
    assertThat(out()).as(err()).contains(text);
  }

  /** Waits until the file is there; fails if it does not come in time. */
  public void awaitFile(Path file) throws InterruptedException, IOException {
    await(() -> Files.exists(file), PATIENCE);
    assertThat(file).as(out() + err()).exists();
  }

  /** Waits until the condition holds or the process has ended. */
  private void await(BooleanSupplier condition, Duration patience) throws InterruptedException {
    long deadline = System.nanoTime() + patience.toNanos();
    while (!condition.getAsBoolean() && process.isAlive() && System.nanoTime() < deadline) {
      Thread.sleep(100);
    }
  }

  public boolean isRunning() {
    return process.isAlive();
  }

  /** Every process that it has started and that runs now. */
  public List<ProcessHandle> processes() {
    return process.descendants().toList();
  }

  /** The process of the driver itself. */
  public ProcessHandle driver() {
    return process
        .children()
        .filter(
            p -> p.info().commandLine().orElse("").contains("org.apache.spark.deploy.SparkSubmit"))
        .findFirst()
        .orElseThrow();
  }

  /** The processes of its executors. */
  public List<ProcessHandle> executors() {
    return process
        .descendants()
        .filter(p -> p.info().commandLine().orElse("").contains("CoarseGrainedExecutorBackend"))
        .toList();
  }

  public void terminate() {
    process.destroy();
  }

  public String out() throws IOException {
    return Files.readString(out);
  }

  public String err() throws IOException {
    return Files.readString(err);
  }

  /** All that it has said and, with {@code --debug}, what its executors have logged. */
  String everythingSaid() throws IOException {
    StringBuilder said = new StringBuilder(out()).append(err());
    try (Stream<Path> files = Files.walk(scratch)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        said.append(Files.readString(file));
      }
    }
    return said.toString();
  }

  /** Asserts that nothing is left of it: no process and no temporary file. */
  public void assertNothingLeft(List<ProcessHandle> started) throws Exception {
    assertThat(started).isNotEmpty();
    for (ProcessHandle each : started) {
      // an executor sees that its driver is gone a moment after it
      each.onExit().get(A_MOMENT.toSeconds(), TimeUnit.SECONDS);
    }
    try (Stream<Path> files = Files.list(scratch)) {
      assertThat(files.filter(file -> file.getFileName().toString().startsWith("anneal.")))
          .isEmpty();
    }
  }

  @Override
  public void close() {
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
  }

  private boolean outHas(String text) {
    try {
      return out().contains(text);
    } catch (IOException e) {
      return false;
    }
  }
}
