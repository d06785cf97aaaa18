package dev.anneal.spark.progress;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EndingTest {
  private static final Duration OTHERWISE = Duration.ofSeconds(20);

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Executor heartbeat timed out after 61000 ms",
        "Not receiving heartbeat for 60 seconds",
        "worker lost",
        "Worker lost"
      })
  void whatSparkHasHeardNothingOfIsSilent(String reason) {
    assertThat(Ending.of(reason).isSilence()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Command exited with code 0",
        "Command exited with code 137",
        "Remote RPC client disassociated. Likely due to containers exceeding thresholds",
        "Container marked as failed. Exit status: 1. Diagnostics: worker lost"
      })
  void whatHasEndedIsNot(String reason) {
    assertThat(Ending.of(reason).isSilence()).isFalse();
  }

  @Test
  void tellsForHowLong() {
    assertThat(Ending.of("Executor heartbeat timed out after 61000 ms").silence(OTHERWISE))
        .isEqualTo(Duration.ofSeconds(61));
    assertThat(Ending.of("Not receiving heartbeat for 60 seconds").silence(OTHERWISE))
        .isEqualTo(Duration.ofMinutes(1));
    assertThat(Ending.of("worker lost").silence(OTHERWISE)).isEqualTo(OTHERWISE);
  }

  @Test
  void zeroIsAnExitCode() {
    assertThat(Ending.of("Command exited with code 0").hasExitCode()).isTrue();
    assertThat(Ending.of("Exit status: -100. Diagnostics: lost node").hasExitCode()).isFalse();
  }
}
