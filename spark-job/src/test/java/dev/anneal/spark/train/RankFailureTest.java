package dev.anneal.spark.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.progress.RankEvent;
import org.apache.spark.SparkException;
import org.apache.spark.TaskKilledException;
import org.junit.jupiter.api.Test;

class RankFailureTest {

  @Test
  void tellsTheFirstLineWithoutTheRankThatIsNamedAnyway() {
    RankEvent.Failed event = event(new IllegalStateException("rank 3: out of luck\nat last"));
    assertThat(event.message()).isEqualTo("out of luck");
    assertThat(event.peerLost()).isFalse();
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
    assertThat(event(new IllegalStateException(new SparkException("barrier"))).peerLost()).isTrue();
    assertThat(event(new TaskKilledException("stage cancelled")).peerLost()).isTrue();
  }

  private static RankEvent.Failed event(Throwable failure) {
    return RankFailure.event(3, "host", failure);
  }
}
