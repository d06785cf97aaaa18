package dev.anneal.spark.generate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.Anneal;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A chat in a process of its own, which Ctrl-C reaches as the signal that a terminal sends. */
class ChatIT {
  private static final long PATIENCE_SECONDS = 180;

  private Process process;
  private Heard out;
  private Heard err;

  /** What has come out of a stream so far. */
  private static final class Heard {
    private final StringBuilder text = new StringBuilder();

    Heard(InputStream in) {
      Thread reader = new Thread(() -> read(in));
      reader.setDaemon(true);
      reader.start();
    }

    private void read(InputStream in) {
      try {
        for (int read = in.read(); read >= 0; read = in.read()) {
          add((char) read);
        }
      } catch (IOException e) {
        // the process is gone
      }
      end();
    }

    private synchronized void add(char character) {
      text.append(character);
      notifyAll();
    }

    private synchronized void end() {
      text.append("(end)");
      notifyAll();
    }

    /** Waits until these words have come {@code count} times. */
    synchronized void await(String words, int count) throws InterruptedException {
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
      while (text.toString().split(Pattern.quote(words), -1).length <= count) {
        long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
        assertThat(left).as("'%s' in: %s", words, text).isPositive();
        assertThat(text.toString()).as("'%s' is to come", words).doesNotEndWith("(end)");
        wait(left);
      }
    }

    synchronized String text() {
      return text.toString();
    }
  }

  @BeforeEach
  void start() throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(argument -> argument.startsWith("--add-"))
        .forEach(command::add);
    command.addAll(
        List.of(
            "-Xmx512m",
            "-Dspark.master=local[2]",
            "-Dspark.ui.enabled=false",
            "-Dspark.driver.bindAddress=127.0.0.1",
            "-Dspark.driver.host=127.0.0.1",
            "-cp",
            System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
            Anneal.class.getName()));
    // hot enough that the model does not come to an end
    command.addAll(List.of("generate", "--chat", "--model", Commands.MODEL));
    command.addAll(List.of("--temperature", "20", "--max-tokens", "480"));
    process = new ProcessBuilder(command).start();
    out = new Heard(process.getInputStream());
    err = new Heard(process.getErrorStream());
  }

  @AfterEach
  void stop() {
    process.destroyForcibly();
  }

  @Test
  void interruptsEndAnAnswerAndThenTheChat() throws Exception {
    say("Sing.");
    // the answer is under way: it does not wait for its end
    out.await(" ", 3);
    interrupt();
    err.await("(interrupted)", 1);
    String first = out.text();
    say("/reset");
    say("Sing.");
    err.await("(--max-tokens 480)", 1);
    assertThat(out.text().length()).isGreaterThan(2 * first.length());
    interrupt();
    assertThat(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(err.text()).isZero();
    assertThat(err.text()).doesNotContain("anneal:");
  }

  @Test
  void theEndOfTheInputEndsIt() throws Exception {
    say("Sing.");
    process.getOutputStream().close();
    assertThat(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(err.text()).isZero();
    assertThat(err.text()).contains("(--max-tokens 480)");
    assertThat(out.text()).endsWith("\n(end)");
  }

  private void say(String line) throws IOException {
    OutputStream in = process.getOutputStream();
    in.write((line + "\n").getBytes(UTF_8));
    in.flush();
  }

  private void interrupt() throws IOException, InterruptedException {
    Process kill = new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start();
    assertThat(kill.waitFor()).isZero();
  }
}
