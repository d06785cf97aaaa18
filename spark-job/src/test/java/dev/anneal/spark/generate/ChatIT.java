package dev.anneal.spark.generate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A chat in a process of its own, which Ctrl-C reaches as the signal that a terminal sends. */
class ChatIT {
  private static final long PATIENCE_SECONDS = 180;

  private Process process;
  private Heard out;
  private Heard err;

  @BeforeEach
  void start() throws IOException {
    // hot enough that the model does not come to an end
    process = Commands.process("--chat", "--temperature", "20", "--max-tokens", "480");
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
    Commands.signal("INT", process);
  }
}
