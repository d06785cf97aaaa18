package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Deviation;
import dev.anneal.training.Golden;
import dev.anneal.training.JavaProcess;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.GlooCollectives;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.collective.rendezvous.RendezvousStore;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The reference run dealt to two processes that talk Gloo. */
class TwoRanksTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(60);

  @TempDir static Path folder;
  private static final Map<Scenario, RecordingListener> RUNS = new EnumMap<>(Scenario.class);

  @BeforeAll
  static void run() throws IOException, InterruptedException {
    Golden.path("model");
    try (RendezvousStore store = RendezvousStore.serve(PeerRank.HOST, TIMEOUT);
        JavaProcess peer = startPeer(store)) {
      try (Collectives collectives = GlooCollectives.join(store, PeerRank.HOST, 0, 2, TIMEOUT)) {
        for (Scenario scenario : Scenario.values()) {
          RecordingListener listener = new RecordingListener();
          scenario.run(collectives, folder.resolve("rank-0"), listener);
          RUNS.put(scenario, listener);
        }
      }
      assertThat(peer.await(TIMEOUT)).as(peer.output()).isZero();
    }
  }

  private static JavaProcess startPeer(RendezvousStore store) throws IOException {
    Path reports = Files.createDirectory(folder.resolve("rank-1"));
    Stream<String> scenarios = Stream.of(Scenario.values()).map(Scenario::name);
    List<String> args =
        Stream.concat(
                Stream.of(
                    store.address().toText(),
                    Long.toString(TIMEOUT.toSeconds()),
                    reports.toString()),
                scenarios)
            .toList();
    return JavaProcess.start(PeerRank.class, folder.resolve("peer.log"), List.of("-Xmx512m"), args);
  }

  @ParameterizedTest
  @EnumSource(names = {"FP32", "FP32_SHARDED"})
  void equalTheReference(Scenario scenario) throws IOException {
    ReferenceRun reference = ReferenceRun.load();
    ReferenceRunTest.Deviation deviation =
        ReferenceRunTest.Deviation.of(
            RUNS.get(scenario).steps(), reference.reference().get("steps"));
    double adapter =
        ReferenceRunTest.adapterDeviation(
            reference.folder().resolve("adapter_final"), output(scenario));
    System.out.printf(
        "two ranks, %s: loss %.2e relative, grad_norm %.2e relative, adapter %.2e absolute%n",
        scenario, deviation.loss(), deviation.gradNorm(), adapter);
    assertThat(deviation.loss()).isLessThan(1e-5);
    assertThat(deviation.gradNorm()).isLessThan(1e-4);
    assertThat(adapter).isLessThan(1e-4);
  }

  @ParameterizedTest
  @CsvSource({
    "FP32, FP32_SHARDED",
    "BF16, BF16_SHARDED",
    "DROPOUT, DROPOUT_SHARDED",
    "FP32, KEPT_ACTIVATIONS",
    "FP32_SHARDED, KEPT_ACTIVATIONS_SHARDED"
  })
  void storageAndRecomputationChangeNoBit(Scenario expected, Scenario found) throws IOException {
    assertThat(RUNS.get(found).steps())
        .usingRecursiveFieldByFieldElementComparatorIgnoringFields(
            "tokensPerSecond", "peakMemoryBytes", "times")
        .isEqualTo(RUNS.get(expected).steps());
    assertThat(RUNS.get(found).evaluations()).isEqualTo(RUNS.get(expected).evaluations());
    assertThat(ReferenceRunTest.adapterDeviation(output(expected), output(found))).isZero();
  }

  @ParameterizedTest
  @EnumSource
  void bothRanksReportTheSameAndOnlyRank0Writes(Scenario scenario)
      throws IOException, ClassNotFoundException {
    Path report = PeerRank.report(folder.resolve("rank-1"), scenario);
    try (ObjectInputStream in = new ObjectInputStream(Files.newInputStream(report))) {
      assertThat((List<?>) in.readObject())
          .usingRecursiveFieldByFieldElementComparatorIgnoringFields("tokensPerSecond", "times")
          .isEqualTo(RUNS.get(scenario).steps());
    }
    assertThat(scenario.output(folder.resolve("rank-1"))).doesNotExist();
  }

  @Test
  void storedBf16IsNotFp32() {
    assertThat(RUNS.get(Scenario.BF16).steps().get(0).loss())
        .isNotEqualTo(RUNS.get(Scenario.FP32).steps().get(0).loss());
  }

  @ParameterizedTest
  @EnumSource(names = {"FP32", "DROPOUT"})
  void oneRankWithTwiceTheAccumulationGivesTheSame(Scenario scenario) throws IOException {
    RecordingListener alone = new RecordingListener();
    scenario.run(new SingleRank(), folder.resolve("alone"), alone);
    RecordingListener together = RUNS.get(scenario);
    for (int i = 0; i < alone.steps().size(); i++) {
      double expected = alone.steps().get(i).loss();
      assertThat(Deviation.relative(together.steps().get(i).loss(), expected)).isLessThan(1e-6);
    }
    // an odd number of held-out batches
    for (int i = 0; i < 2; i++) {
      double expected = alone.evaluations().get(i);
      assertThat(Deviation.relative(together.evaluations().get(i), expected)).isLessThan(1e-6);
      assertThat(together.samples().get(i)).isEqualTo(alone.samples().get(i));
    }
    assertThat(alone.evaluations()).hasSize(2).doesNotHaveDuplicates();
  }

  private static Path output(Scenario scenario) {
    return scenario.output(folder.resolve("rank-0"));
  }
}
