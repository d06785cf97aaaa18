package dev.anneal.spark.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.progress.RankEvent.Failed.Cause;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.trainer.NotFiniteException;
import java.io.IOException;
import java.util.List;
import org.apache.spark.SparkException;
import org.apache.spark.TaskKilledException;
import org.junit.jupiter.api.Test;

class RankFailureTest {

  @Test
  void tellsTheFirstLineWithoutTheRankThatIsNamedAnyway() {
    RankEvent.Failed event = event(new IllegalStateException("rank 3: out of luck\nat last"));
    assertThat(event.message()).isEqualTo("out of luck");
    assertThat(event.cause()).isEqualTo(Cause.RANK);
  }

  @Test
  void looksForACauseThatSaysSomething() {
    Throwable cause = new UnsatisfiedLinkError("no jnitorch in java.library.path");
    assertThat(event(new ExceptionInInitializerError(cause)).message())
        .isEqualTo("no jnitorch in java.library.path");
    assertThat(event(new NullPointerException()).message())
        .isEqualTo("java.lang.NullPointerException");
  }

  @Test
  void knowsTheExceptionsOfARendezvousThatAPeerMissed() {
    assertThat(event(new IllegalStateException(new SparkException("barrier"))).cause())
        .isEqualTo(Cause.LOST_PEER);
    assertThat(event(new TaskKilledException("stage cancelled")).cause())
        .isEqualTo(Cause.LOST_PEER);
  }

  @Test
  void tellsWhatARepetitionWouldMeetFromWhatMayPass() {
    assertThat(event(new InvalidModelException("no such tensor")).cause()).isEqualTo(Cause.REQUEST);
    assertThat(event(new InvalidDataException("damaged")).cause()).isEqualTo(Cause.REQUEST);
    IOException away = new IOException("503 Slow Down");
    assertThat(event(new InvalidDataException("cannot be read", away)).cause())
        .isEqualTo(Cause.RANK);
  }

  @Test
  void knowsThatALossThatIsNotFiniteComesAgain() {
    NotFiniteException heldOut =
        new NotFiniteException("rank 3, the held-out loss is NaN", 0, List.of());
    assertThat(event(heldOut).cause()).isEqualTo(Cause.REQUEST);
    assertThat(event(heldOut).message()).isEqualTo("the held-out loss is NaN");
  }

  @Test
  void knowsThatAFullDiskStaysFull() {
    assertThat(event(new IOException("/x: No space left on device")).cause())
        .isEqualTo(Cause.REQUEST);
  }

  @Test
  void knowsThatCredentialsThatHaveExpiredStayExpired() {
    IOException expired = new IOException("Writing Object: ExpiredToken: it has expired");
    assertThat(event(expired).cause()).isEqualTo(Cause.REQUEST);
  }

  private static RankEvent.Failed event(Throwable failure) {
    return RankFailure.event(3, "host", failure);
  }
}
