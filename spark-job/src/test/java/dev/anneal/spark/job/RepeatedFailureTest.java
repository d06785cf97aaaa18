package dev.anneal.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.job.TrainingAttempt.End;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RepeatedFailureTest {
  private final RepeatedFailure repeated = new RepeatedFailure();

  @Test
  void isTheSameCauseTwiceWithoutAStep() {
    assertThat(repeated.is(failed("no library (exit code 1 of process 17)"), false)).isFalse();
    assertThat(repeated.is(failed("no library (exit code 1 of process 18)"), false)).isTrue();
  }

  @Test
  void isNotAnotherCauseNorOneThatPasses() {
    assertThat(repeated.is(failed("no library"), false)).isFalse();
    assertThat(repeated.is(failed("no space"), false)).isFalse();
    assertThat(repeated.is(failed(null), false)).isFalse();
    assertThat(repeated.is(failed(null), false)).isFalse();
    assertThat(repeated.is(new End.Left(), false)).isFalse();
  }

  @Test
  void isNoneWhereStepsWereMade() {
    assertThat(repeated.is(failed("no space"), false)).isFalse();
    assertThat(repeated.is(failed("no space"), true)).isFalse();
    assertThat(repeated.is(failed("no space"), false)).isFalse();
  }

  private static End failed(String repeatable) {
    return new End.Failed(
        "any", false, Optional.ofNullable(repeatable), Optional.empty(), new Exception());
  }
}
