package dev.anneal.spark.generate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A chat in a process of its own, which Ctrl-C reaches as the signal that a terminal sends. */
class ChatIT {
  private static final long PATIENCE_SECONDS = 180;

  private Process process;
  private Heard out;
  private Heard err;

  @AfterEach
  void stop() {
    process.destroyForcibly();
  }

  /** A model that takes its time: an answer of the bundled one may be over before it is heard. */
  @Test
  void interruptsEndAnAnswerAndThenTheChat(@TempDir Path dir) throws Exception {
    Path config = dir.resolve("config.json");
    Files.writeString(
        config,
        Files.readString(Path.of(Commands.MODEL, "config.json"))
            .replace("\"hidden_size\": 192", "\"hidden_size\": 1024")
            .replace("\"intermediate_size\": 512", "\"intermediate_size\": 8192")
            .replace("\"head_dim\": 32", "\"head_dim\": 128"));
    start("--model", "random:" + config, "--set", "model.tokenizer=" + Commands.MODEL);
    say("Sing.");
    // the answer is under way: it does not wait for its end
    out.await(" ", 3);
    interrupt();
    err.await("(interrupted)", 1);
    int said = out.text().split(" ", -1).length;
    say("/reset");
    say("Sing.");
    out.await(" ", said + 3);
    interrupt();
    err.await("(interrupted)", 2);
    interrupt();
    assertThat(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(err.text()).isZero();
    assertThat(err.text()).doesNotContain("anneal:", "(--max-tokens 480)");
  }

  @Test
  void theEndOfTheInputEndsIt() throws Exception {
    start();
    say("Sing.");
    process.getOutputStream().close();
    assertThat(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(err.text()).isZero();
    assertThat(err.text()).contains("(--max-tokens 480)");
    assertThat(out.text()).endsWith("\n(end)");
  }

  private void start(String... more) throws IOException {
    // hot enough that the model does not come to an end
    List<String> all =
        new ArrayList<>(List.of("--chat", "--temperature", "20", "--max-tokens", "480"));
    all.addAll(List.of(more));
    process = Commands.process(all.toArray(String[]::new));
    out = new Heard(process.getInputStream());
    err = new Heard(process.getErrorStream());
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
