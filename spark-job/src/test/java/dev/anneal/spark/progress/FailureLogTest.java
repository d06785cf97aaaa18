package dev.anneal.spark.progress;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.progress.ExecutorObituary.How;
import dev.anneal.spark.progress.ExecutorObituary.Obituary;
import dev.anneal.spark.progress.RankEvent.Failed.Cause;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.spark.scheduler.SparkListenerExecutorRemoved;
import org.junit.jupiter.api.Test;

class FailureLogTest {
  private final List<String> announced = new ArrayList<>();
  private Duration pause = Duration.ZERO;
  private final FailureLog log =
      new FailureLog(announced::add, this::obituary, silence -> pause, Duration.ofSeconds(60));

  @Test
  void namesTheRankThatFailedAndNotThoseThatLostIt() throws InterruptedException {
    log.failed(new RankEvent.Failed(0, "a", "lost a peer", Cause.LOST_PEER));
    assertThat(announced).isEmpty();
    log.failed(new RankEvent.Failed(1, "b", "no space", Cause.RANK));
    log.failed(new RankEvent.Failed(2, "c", "no space either", Cause.RANK));
    assertThat(announced).containsExactly("Rank 1 on b failed: no space");
    assertThat(log.firstCause()).hasValue("Rank 1 on b failed: no space");
  }

  @Test
  void namesTheProcessThatDied() throws InterruptedException {
    log.started(new RankEvent.Started(1, "b", "7", 123, 2, 1, "Linux", null));
    log.failed(new RankEvent.Failed(0, "a", "lost a peer", Cause.LOST_PEER));
    log.onExecutorRemoved(new SparkListenerExecutorRemoved(1, "7", "exited with code 137\nmore"));
    String cause = "The process of rank 1 on b was lost: exited with code 137";
    assertThat(announced).containsExactly(cause);
    assertThat(log.firstCause()).hasValue(cause);
  }

  @Test
  void namesAllRanksOfAProcessThatDied() throws InterruptedException {
    for (int rank = 4; rank < 8; rank++) {
      log.started(new RankEvent.Started(rank, "b", "7", 123, 2, 1, "Linux", null));
    }
    log.onExecutorRemoved(new SparkListenerExecutorRemoved(1, "7", "exited"));
    assertThat(log.firstCause()).hasValue("The process of ranks 4 to 7 on b was lost: exited");
  }

  @Test
  void aProcessThatGivesSignsOfLifeHangs() throws InterruptedException {
    twoProcesses();
    log.failed(new RankEvent.Failed(0, "a", "lost a peer", Cause.PEER_SILENT));
    ScheduledExecutorService heart = Executors.newSingleThreadScheduledExecutor();
    try {
      var unused = heart.scheduleAtFixedRate(() -> log.alive("7"), 0, 200, TimeUnit.MILLISECONDS);
      String cause =
          "The process of rank 1 on b did not answer its peers in time, although it lives: look at process 123 there, or raise cluster.timeout.";
      assertThat(log.firstCause()).hasValue(cause);
      assertThat(announced).containsExactly(cause);
      assertThat(log.hungExecutor()).hasValue("7");
    } finally {
      heart.shutdownNow();
    }
  }

  @Test
  void aProcessThatGivesNoneStandsStill() throws InterruptedException {
    twoProcesses();
    log.failed(new RankEvent.Failed(0, "a", "lost a peer", Cause.PEER_SILENT));
    assertThat(log.firstCause().orElseThrow())
        .matches(
            "The process of rank 1 on b did not answer its peers in time and has given no sign of life for \\d+ s: process 123 there stands still, or its node cannot be reached\\.");
    assertThat(log.hungExecutor()).hasValue("7");
  }

  @Test
  void waitsForSparksWordOfAProcessThatHasClosedItsConnections() throws Exception {
    twoProcesses();
    log.failed(new RankEvent.Failed(0, "a", "lost a peer", Cause.PEER_CLOSED));
    Thread spark =
        new Thread(
            () -> {
              try {
                // longer than peers that only wait are believed
                Thread.sleep(12_000);
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
              log.onExecutorRemoved(new SparkListenerExecutorRemoved(1, "7", "killed"));
            });
    spark.start();
    assertThat(log.firstCause()).hasValue("The process of rank 1 on b was lost: killed");
    assertThat(log.hungExecutor()).isEmpty();
    spark.join();
  }

  @Test
  void blamesNobodyForTheDriversOwnPause() throws InterruptedException {
    twoProcesses();
    pause = Duration.ofSeconds(41);
    log.failed(new RankEvent.Failed(0, "a", "lost a peer", Cause.PEER_CLOSED));
    log.onExecutorRemoved(
        new SparkListenerExecutorRemoved(1, "7", "Executor heartbeat timed out after 61000 ms"));
    assertThat(log.firstCause().orElseThrow()).startsWith("The driver stood still for 41 s");
    assertThat(log.hungExecutor()).isEmpty();
  }

  /** The pulse is that of a driver; only its clock is not waited for. */
  @Test
  void aPauseBeforeASilenceIsNoExcuseForIt() throws InterruptedException {
    DriverPulse pulse = new DriverPulse(0);
    pulse.beat(seconds(5.5));
    pulse.beat(seconds(6));
    pulse.beat(seconds(600));
    assertThat(pulse.explaining(Duration.ofSeconds(61), seconds(600.1)))
        .isEqualTo(Duration.ofMillis(593_500));
    for (double now = 600.5; now < 670; now += 0.5) {
      pulse.beat(seconds(now));
    }
    pulse.beat(seconds(675));
    FailureLog later =
        new FailureLog(
            announced::add,
            this::obituary,
            silence -> pulse.explaining(silence, seconds(676)),
            Duration.ofSeconds(60));
    later.started(new RankEvent.Started(1, "b", "7", 123, 2, 1, "Linux", null));
    later.onExecutorRemoved(
        new SparkListenerExecutorRemoved(1, "7", "Executor heartbeat timed out after 61000 ms"));
    assertThat(later.firstCause())
        .hasValue(
            "Spark heard nothing more of the process of rank 1 on b (Executor heartbeat timed out after 61000 ms): process 123 there stands still, its node cannot be reached, or it has ended with its node.");
  }

  private static long seconds(double seconds) {
    return (long) (seconds * 1e9);
  }

  @Test
  void aPausedDriverBelievesNothingButAnExitCode() throws InterruptedException {
    twoProcesses();
    pause = Duration.ofSeconds(70);
    log.onExecutorRemoved(new SparkListenerExecutorRemoved(1, "9", "worker lost"));
    log.onExecutorRemoved(new SparkListenerExecutorRemoved(1, "7", "Command exited with code 137"));
    assertThat(log.firstCause())
        .hasValue("The process of rank 1 on b was lost: Command exited with code 137");
  }

  @Test
  void thatAWorkerWasPausedOverIsNoEndOfItsProcess() throws InterruptedException {
    twoProcesses();
    pause = Duration.ofSeconds(70);
    log.onExecutorRemoved(new SparkListenerExecutorRemoved(1, "7", "worker lost"));
    assertThat(log.firstCause().orElseThrow()).startsWith("The driver stood still for 70 s");
  }

  @Test
  void theLossOfAWorkerIsNotToldAsTheEndOfItsProcess() throws InterruptedException {
    twoProcesses();
    log.onExecutorRemoved(new SparkListenerExecutorRemoved(1, "7", "worker lost"));
    assertThat(log.firstCause().orElseThrow())
        .startsWith("Spark heard nothing more of the process of rank 1 on b (worker lost)");
    assertThat(log.repeatable()).isEmpty();
  }

  @Test
  void saysThatItIsNotKnownHowAPeerWasLost() throws InterruptedException {
    twoProcesses();
    log.failed(new RankEvent.Failed(0, "a", "an unknown error of NCCL", Cause.LOST_PEER));
    assertThat(log.firstCause().orElseThrow())
        .startsWith(
            "The peers of the process of rank 1 on b lost it, how is not known (an unknown error of NCCL), and it has given no sign of life for ");
  }

  @Test
  void tellsADriverThatCannotBeHeardFromOneThatStoodStill() throws InterruptedException {
    twoProcesses();
    log.driverSilent(new RankEvent.DriverSilent("7", 60));
    assertThat(log.firstCause().orElseThrow())
        .startsWith("The process of executor 7 heard nothing of the driver for 60 s and left");
  }

  private void twoProcesses() {
    log.started(new RankEvent.Started(0, "a", "6", 122, 2, 1, "Linux", null));
    log.started(new RankEvent.Started(1, "b", "7", 123, 2, 1, "Linux", null));
  }

  @Test
  void knowsOfNothingWhereNobodyFailed() throws InterruptedException {
    assertThat(log.firstCause()).isEmpty();
    assertThat(log.repeatable()).isEmpty();
  }

  @Test
  void namesAnExecutorThatDiedBeforeItsRanksBegan() throws InterruptedException {
    log.onExecutorRemoved(new SparkListenerExecutorRemoved(1, "9", "no such library"));
    String cause = "Executor 9 on c was lost before its ranks began: no such library";
    assertThat(log.firstCause()).hasValue(cause);
    assertThat(announced).containsExactly(cause);
    assertThat(log.repeatable()).hasValue("no such library");
  }

  @Test
  void doesNotExpectAKillOrALostPeerAgain() throws InterruptedException {
    log.failed(new RankEvent.Failed(0, "a", "lost a peer", Cause.LOST_PEER));
    log.onExecutorRemoved(new SparkListenerExecutorRemoved(1, "9", "killed"));
    assertThat(log.firstCause()).hasValueSatisfying(cause -> assertThat(cause).contains("killed"));
    assertThat(log.repeatable()).isEmpty();
  }

  @Test
  void aRanksOwnFailureGoesBeforeTheEndOfItsProcess() throws InterruptedException {
    log.onExecutorRemoved(new SparkListenerExecutorRemoved(1, "9", "exited"));
    log.failed(new RankEvent.Failed(1, "b", "no space", Cause.RANK));
    assertThat(log.firstCause()).hasValue("Rank 1 on b failed: no space");
    assertThat(log.repeatable()).hasValue("no space");
  }

  private Obituary obituary(String executor, String reason) {
    String text = reason.lines().findFirst().orElseThrow();
    How how = text.equals("killed") ? How.FROM_OUTSIDE : How.BY_ITSELF;
    return new Obituary("c", text, Ending.of(reason).isSilence() ? How.UNHEARD : how);
  }
}
