package dev.anneal.spark.lease;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.storage.RunFolder;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A JVM of its own that takes leases as its input tells it, and says what comes of that. Its host
 * may be a name only: to others it is then far away.
 */
final class LeaseProcess implements AutoCloseable {
  private static final Duration SETTLE = Duration.ofMillis(50);
  private static final int PATIENCE_SECONDS = 120;

  private final Process process;
  private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();

  /** A process that beats often. */
  LeaseProcess(String host) throws IOException {
    this(host, Duration.ofMillis(200));
  }

  LeaseProcess(String host, Duration beat) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx128m"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(LeaseProcess.class.getName(), host, beat.toString()));
    process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    Thread reader = new Thread(this::readLines);
    reader.setDaemon(true);
    reader.start();
  }

  private void readLines() {
    try (BufferedReader in = process.inputReader(UTF_8)) {
      in.lines().forEach(lines::add);
    } catch (IOException | UncheckedIOException killed) {
      // it says no more
    }
  }

  /** Sends {@code acquire FOLDER}, {@code look} or {@code release}. */
  void tell(String command) throws IOException {
    process.getOutputStream().write((command + "\n").getBytes(UTF_8));
    process.getOutputStream().flush();
  }

  /**
   * What it says next: {@code owner}, {@code refused: ...}, {@code lost: ...}, {@code held}, {@code
   * not held}, {@code released}.
   */
  String answer() throws InterruptedException {
    return lines.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
  }

  /** What it says to a command. */
  String answerTo(String command) throws IOException, InterruptedException {
    tell(command);
    return answer();
  }

  /** What it says within a time; {@code null} for nothing. */
  String answerWithin(Duration time) throws InterruptedException {
    return lines.poll(time.toMillis(), TimeUnit.MILLISECONDS);
  }

  void signal(String name) throws Exception {
    String pid = Long.toString(process.pid());
    if (new ProcessBuilder("kill", "-" + name, pid).start().waitFor() != 0) {
      throw new IOException("kill -" + name + " " + pid);
    }
  }

  void kill() throws InterruptedException {
    process.destroyForcibly().waitFor();
  }

  @Override
  public void close() throws InterruptedException {
    kill();
  }

  public static void main(String[] args) throws IOException {
    ProcessIdentity here = ProcessIdentity.current();
    ProcessIdentity self =
        args[0].equals("here")
            ? here
            : new ProcessIdentity(args[0], args[0], "pid:[1]", here.pid(), here.startTicks());
    GenerationLease.Timing timing = new GenerationLease.Timing(Duration.parse(args[1]), SETTLE);
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    OutputLease lease = null;
    int runs = 0;
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      switch (line) {
        case "release" -> {
          lease.close();
          say("released");
        }
        case "look" -> say(lease.isHeld() ? "held" : "not held");
        default -> {
          LeaseRecord own = LeaseRecord.of("run-%s-%s".formatted(self.pid(), ++runs), self);
          lease = acquire(line.substring("acquire ".length()), own, timing);
        }
      }
    }
  }

  private static OutputLease acquire(
      String location, LeaseRecord own, GenerationLease.Timing timing) throws IOException {
    RunFolder folder = new RunFolder(location, FolderOfObjects.configuration());
    try {
      OutputLease lease =
          folder.isLocal()
              ? LocalLease.acquire(folder, own)
              : GenerationLease.acquire(folder, own, timing, loss -> say("lost: " + loss));
      say("owner");
      return lease;
    } catch (BadRequestException e) {
      say("refused: " + e.getMessage());
      return null;
    }
  }

  private static synchronized void say(String line) {
    System.out.println(line);
    System.out.flush();
  }
}
