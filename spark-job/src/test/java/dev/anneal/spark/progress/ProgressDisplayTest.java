package dev.anneal.spark.progress;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.timing.StepTimes;
import dev.anneal.training.trainer.StepMetrics;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class ProgressDisplayTest {
  private final StringWriter text = new StringWriter();
  private final AtomicLong nanos = new AtomicLong();

  @Test
  void showsStepLossSpeedMemoryAndTimeLeft() {
    assertThat(ProgressLine.of(step(7), 100, Duration.ofSeconds(93)))
        .isEqualTo("step   7/100  loss 2.5000  1,234 tokens/s  1.5 GiB  01:33 left");
    assertThat(ProgressLine.of(step(7), 7, null)).endsWith("--:-- left");
    assertThat(Sizes.time(Duration.ofMinutes(61))).isEqualTo("1:01:00");
    assertThat(ProgressLine.bytes(800L << 20)).isEqualTo("800 MiB");
  }

  @Test
  void renewsOneLineOnATerminal() {
    ProgressDisplay display = display(ProgressDisplay.Medium.TERMINAL);
    display.step(step(1), 3);
    display.step(step(2), 3);
    display.line("done");
    assertThat(text.toString())
        .startsWith("\rstep 1/3")
        .contains("\u001b[K\rstep 2/3")
        .endsWith("\u001b[K\ndone\n");
  }

  @Test
  void writesALineEveryFewSecondsElsewhereAndTheLastOne() {
    ProgressDisplay display = display(ProgressDisplay.Medium.FILE);
    for (int i = 1; i <= 12; i++) {
      display.step(step(i), 12);
      nanos.addAndGet(Duration.ofSeconds(1).toNanos());
    }
    assertThat(text.toString().lines())
        .extracting(line -> line.substring(0, 10))
        .containsExactly("step  1/12", "step  6/12", "step 11/12", "step 12/12");
    assertThat(text.toString()).doesNotContain("\r");
  }

  @Test
  void reckonsTheTimeLeftFromTheStepsSinceTheFirst() {
    ProgressDisplay display = display(ProgressDisplay.Medium.TERMINAL);
    nanos.set(Duration.ofSeconds(100).toNanos());
    display.step(step(1), 11);
    nanos.addAndGet(Duration.ofSeconds(4).toNanos());
    display.step(step(3), 11);
    assertThat(text.toString()).contains("--:-- left").contains("00:16 left");
  }

  @Test
  void showsHowMuchOfTheWeightsIsLoaded() {
    assertThat(ProgressLine.of(loaded(3_240_000_000L, 8_100_000_000L), Duration.ofSeconds(41)))
        .isEqualTo("loading weights 3.2 of 8.1 GB, 00:41 left");
    assertThat(ProgressLine.of(loaded(0, 8_000_000), null))
        .isEqualTo("loading weights 0 of 8 MB, --:-- left");
  }

  @Test
  void showsHowManyPromptsAreAnsweredAndReckonsFromThoseOfThisProcess() {
    ProgressDisplay display = display(ProgressDisplay.Medium.FILE);
    nanos.set(Duration.ofSeconds(50).toNanos());
    display.phase("Generating");
    nanos.addAndGet(Duration.ofSeconds(2).toNanos());
    display.answers(new AnswerProgress(1000, 1100, 2000, 5000));
    nanos.addAndGet(Duration.ofSeconds(8).toNanos());
    display.answers(new AnswerProgress(1000, 1000, 2000, 0));
    display.answers(new AnswerProgress(1000, 1200, 2000, 12_340));
    assertThat(text.toString().lines())
        .containsExactly("Generating ...", "1,200/2,000 prompts  1,234 tokens/s  00:40 left");
  }

  @Test
  void writesALineEveryFewSecondsOfALongPhase() {
    ProgressDisplay display = display(ProgressDisplay.Medium.FILE);
    nanos.set(Duration.ofSeconds(50).toNanos());
    display.phase("loading weights");
    for (int i = 1; i <= 12; i++) {
      nanos.addAndGet(Duration.ofSeconds(1).toNanos());
      display.progress(loaded(i * 1_000_000_000L, 12_000_000_000L));
    }
    display.phase("training");
    assertThat(text.toString().lines())
        .containsExactly(
            "loading weights ...",
            "loading weights 5.0 of 12.0 GB, 00:07 left",
            "loading weights 10.0 of 12.0 GB, 00:02 left",
            "loading weights 12.0 of 12.0 GB, 00:00 left",
            "training ...");
  }

  @Test
  void renewsTheLineOfAPhaseOnATerminalAndShowsNothingOfAShortOne() {
    ProgressDisplay display = display(ProgressDisplay.Medium.TERMINAL);
    display.phase("loading weights");
    display.progress(loaded(1_000_000, 1_000_000));
    assertThat(text.toString()).isEqualTo("loading weights ...\n");
    nanos.addAndGet(Duration.ofSeconds(2).toNanos());
    display.progress(loaded(2_000_000_000L, 8_000_000_000L));
    display.progress(loaded(8_000_000_000L, 8_000_000_000L));
    display.phase("training");
    assertThat(text.toString())
        .endsWith(
            "\rloading weights 2.0 of 8.0 GB, 00:06 left\u001b[K"
                + "\rloading weights 8.0 of 8.0 GB, 00:00 left\u001b[K\ntraining ...\n");
  }

  @Test
  void masksWhatNobodyMaySee() {
    display(ProgressDisplay.Medium.FILE).line("Rank 0 on a failed: hush");
    assertThat(text.toString()).isEqualTo("Rank 0 on a failed: ***\n");
  }

  private static RankEvent.Progress loaded(long done, long total) {
    return new RankEvent.Progress("loading weights", done, total);
  }

  private ProgressDisplay display(ProgressDisplay.Medium medium) {
    return new ProgressDisplay(
        new PrintWriter(text), medium, nanos::get, line -> line.replace("hush", "***"));
  }

  private static StepMetrics step(long step) {
    return new StepMetrics(
        step, 2.5, 1, 1e-4, 10, 20, 1234, 3L << 29, 0.5, false, StepTimes.UNKNOWN);
  }
}
