package dev.anneal.spark.storage;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.anneal.spark.BadRequestException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;

/**
 * A JVM of its own that takes leases as its input tells it, and says what comes of that. Its host
 * may be a name only: to others it is then far away.
 */
final class LeaseProcess implements AutoCloseable {
  static final Duration BEAT = Duration.ofMillis(200);
  static final Duration SETTLE = Duration.ofMillis(150);

  private final Process process;
  private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();

  LeaseProcess(String host) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx128m"));
    command.addAll(
        List.of("-cp", System.getProperty("java.class.path"), LeaseProcess.class.getName(), host));
    process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    Thread reader = new Thread(this::readLines);
    reader.setDaemon(true);
    reader.start();
  }

  private void readLines() {
    try (BufferedReader in = process.inputReader(UTF_8)) {
      in.lines().forEach(lines::add);
    } catch (IOException e) {
      lines.add(e.toString());
    }
  }

  /** Sends {@code acquire FOLDER} or {@code release}. */
  void tell(String command) throws IOException {
    process.getOutputStream().write((command + "\n").getBytes(UTF_8));
    process.getOutputStream().flush();
  }

  /**
   * What it says next: {@code owner}, {@code refused: ...}, {@code lost: ...}, {@code released}.
   */
  String answer() throws InterruptedException {
    return lines.poll(30, TimeUnit.SECONDS);
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
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    OutputLease lease = null;
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      if (line.equals("release")) {
        lease.close();
        say("released");
      } else {
        lease = acquire(line.substring("acquire ".length()), self);
      }
    }
  }

  private static OutputLease acquire(String folder, ProcessIdentity self) throws IOException {
    OutputLease lease =
        new OutputLease(
            new RunFolder(folder, new Configuration()),
            "run-" + self.pid(),
            self,
            new OutputLease.Timing(BEAT, SETTLE),
            loss -> say("lost: " + loss));
    try {
      lease.acquire();
      say("owner");
    } catch (BadRequestException e) {
      say("refused: " + e.getMessage());
    }
    return lease;
  }

  private static synchronized void say(String line) {
    System.out.println(line);
    System.out.flush();
  }
}
