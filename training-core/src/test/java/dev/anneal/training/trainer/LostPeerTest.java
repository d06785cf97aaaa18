package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.anneal.training.Golden;
import dev.anneal.training.JavaProcess;
import dev.anneal.training.collective.CollectiveException;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.GlooCollectives;
import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.collective.rendezvous.StoreAddress;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A rank whose peer goes away in the middle of training does not wait for it forever. */
class LostPeerTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(6);
  private static final Duration START = Duration.ofSeconds(40);

  @TempDir Path folder;

  @ParameterizedTest
  @EnumSource(names = {"FP32", "FP32_SHARDED"})
  void killedPeerIsNoticed(Scenario scenario) {
    TrainingException error = loseInStep3(scenario, JavaProcess::kill);
    assertThat(error)
        .hasMessageStartingWith("rank 0, step 4, ")
        .hasMessageContaining("Rank 0 lost a peer in ")
        .hasRootCauseInstanceOf(RuntimeException.class);
  }

  @Test
  void peerThatStopsAnsweringIsNoticed() {
    TrainingException error = loseInStep3(Scenario.FP32, JavaProcess::freeze);
    assertThat(error).hasCauseInstanceOf(CollectiveException.class);
  }

  @Test
  void peerThatNeverComesIsNoticed() {
    assertTimeoutPreemptively(
        Duration.ofSeconds(30),
        () -> {
          Duration timeout = Duration.ofSeconds(2);
          try (RendezvousStore store = RendezvousStore.serve(PeerRank.HOST, timeout)) {
            CollectiveException error =
                catchThrowableOfType(
                    CollectiveException.class,
                    () -> GlooCollectives.join(store, PeerRank.HOST, 0, 2, timeout));
            assertThat(error).hasMessageStartingWith("Rank 0 did not meet its 1 peers within 2 s");
          }
        });
  }

  @Test
  void storeThatNobodyServesIsNoticed() throws IOException {
    StoreAddress address;
    try (ServerSocket free = new ServerSocket(0)) {
      address = new StoreAddress(PeerRank.HOST, free.getLocalPort(), "00".repeat(32));
    }
    assertTimeoutPreemptively(
        Duration.ofSeconds(30),
        () -> {
          CollectiveException error =
              catchThrowableOfType(
                  CollectiveException.class,
                  () -> RendezvousStore.connect(address, Duration.ofSeconds(2)));
          assertThat(error)
              .hasMessageStartingWith("The rendezvous store at " + address)
              .hasMessageContaining("cannot be reached");
        });
  }

  private TrainingException loseInStep3(Scenario scenario, JavaProcess.Loss loss) {
    Golden.path("model");
    return assertTimeoutPreemptively(Duration.ofSeconds(60), () -> run(scenario, loss));
  }

  private TrainingException run(Scenario scenario, JavaProcess.Loss loss) throws IOException {
    try (RendezvousStore store = RendezvousStore.serve(PeerRank.HOST, Duration.ofSeconds(30));
        JavaProcess peer = startPeer(store, scenario);
        Collectives collectives = GlooCollectives.join(store, PeerRank.HOST, 0, 2, TIMEOUT)) {
      RecordingListener listener =
          new RecordingListener() {
            @Override
            public void onStep(StepMetrics metrics) {
              super.onStep(metrics);
              if (metrics.step() == 3) {
                strike(loss, peer);
              }
            }
          };
      return catchThrowableOfType(
          TrainingException.class, () -> scenario.run(collectives, folder, listener));
    }
  }

  private static void strike(JavaProcess.Loss loss, JavaProcess peer) {
    try {
      loss.strike(peer);
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  private JavaProcess startPeer(RendezvousStore store, Scenario scenario) throws IOException {
    JavaProcess peer =
        JavaProcess.start(
            PeerRank.class,
            folder.resolve("peer.log"),
            List.of("-Xmx256m"),
            List.of(store.address().toText(), "30", folder.toString(), scenario.name()));
    awaitConnected(peer);
    return peer;
  }

  /** A process may take longer to start than ranks wait for each other. */
  private void awaitConnected(JavaProcess peer) throws IOException {
    long deadline = System.nanoTime() + START.toNanos();
    while (!Files.exists(PeerRank.connected(folder))) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("the peer does not start: " + peer.output());
      }
      LockSupport.parkNanos(Duration.ofMillis(50).toNanos());
    }
  }
}
