package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.trainer.MemoryChoice.Open;
import dev.anneal.training.trainer.MemoryPlan.Machine;
import dev.anneal.training.trainer.SpeedEstimate.Bound;
import dev.anneal.training.trainer.SpeedEstimate.GpuKind;
import dev.anneal.training.trainer.SpeedEstimate.Nodes;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** How many layers {@code activations.host_layers: auto} takes to the host. */
class HostLayersChoiceTest {
  private static final long GB = 1_000_000_000;
  private static final int ALL = Integer.MAX_VALUE;
  private static final Optional<GpuKind> H200 = GpuKind.named("NVIDIA H200");
  private static final Set<Open> BOTH = Set.of(Open.RECOMPUTED_LAYERS, Open.HOST_LAYERS);
  private static final Set<Open> HOST = Set.of(Open.HOST_LAYERS);

  /** As many as PCIe takes while the GPU computes, so that fewer are computed again. */
  @Test
  void layersOf70bLeaveWhereTheyWouldBeComputedAgain() {
    MemoryPlan plan = large(new Machine(150 * GB, 128 * GB, 1));
    MemoryChoice choice = choose(plan, BOTH);
    System.out.println("70B, r=16 on attention, 1 x 8,192, 128 GB of the host: " + choice);
    MemoryChoice without = choose(plan, Set.of(Open.RECOMPUTED_LAYERS));
    assertThat(without.hostLayers()).isZero();
    assertThat(choice.hostLayers()).isBetween(20, 50);
    assertThat(choice.recomputedLayers()).isLessThan(without.recomputedLayers() - 15);
    assertThat(choice.in(plan).table().hostBytes()).isLessThan(128 * GB);
    requireFastest(plan, choice, 0, without.recomputedLayers());
    assertThat(speed(choice.in(plan)).tokensPerSecond())
        .isGreaterThan(1.1 * speed(without.in(plan)).tokensPerSecond());
  }

  @Test
  void aHostWithLittleMemoryTakesFewer() {
    Machine machine = new Machine(150 * GB, 30 * GB, 1);
    MemoryPlan plan = large(machine);
    MemoryChoice choice = choose(plan, BOTH);
    assertThat(choice.hostLayers()).isBetween(10, 20);
    assertThat(choice.in(plan).fits()).isTrue();
    MemoryChoice more = new MemoryChoice(0, choice.recomputedLayers(), choice.hostLayers() + 1);
    assertThat(more.in(plan).hostHolds()).isFalse();
    requireFastest(plan, choice, 0, choice.recomputedLayers() + 20);
    // two stay on the GPU, and take nothing of the host that has no room
    MemoryPlan full = large(new Machine(150 * GB, 7 * GB, 1));
    assertThat(choose(full, BOTH).hostLayers()).isLessThanOrEqualTo(2);
    // a host whose memory nobody knows may have none
    MemoryPlan unknown = large(new Machine(150 * GB, Long.MAX_VALUE, 1));
    assertThat(choose(unknown, BOTH)).isEqualTo(choose(unknown, Set.of(Open.RECOMPUTED_LAYERS)));
    assertThat(MemoryChoice.noHostLayers(unknown, H200)).contains("what the host has is not known");
  }

  @Test
  void beside8bThatIsComputedAgainSomeAreFree() {
    MemoryPlan plan = small(KeptActivations.INPUTS, 150, 1);
    MemoryChoice choice = choose(plan, HOST);
    System.out.println("8B, 4 x 1,024, all others computed again: " + choice);
    assertThat(choice.recomputedLayers()).isEqualTo(ALL);
    assertThat(choice.hostLayers()).isBetween(8, 12);
    requireFastest(plan, choice, ALL, ALL);
    assertThat(speed(choice.in(plan)).tokensPerSecond())
        .isGreaterThan(1.05 * speed(plan).tokensPerSecond());
    // GPUs of a host share what it copies
    MemoryPlan eight = small(KeptActivations.INPUTS, 150, 8);
    assertThat(choose(eight, HOST).hostLayers()).isBetween(2, choice.hostLayers() - 3);
    requireFastest(eight, choose(eight, HOST), ALL, ALL);
  }

  @Test
  void whatFitsAnywayStaysWhereItIs() {
    MemoryPlan kept = small(KeptActivations.ALL, 150, 1);
    assertThat(choose(kept, HOST)).isEqualTo(new MemoryChoice(0, 0, 0));
    assertThat(choose(kept, BOTH)).isEqualTo(new MemoryChoice(0, 0, 0));
  }

  /** With none computed again, or so many, the host takes what the GPU has no room for. */
  @Test
  void aNumberOfLayersComputedAgainStands() {
    MemoryPlan none = small(KeptActivations.ALL, 24, 1);
    assertThat(none.fits()).isFalse();
    MemoryChoice choice = choose(none, HOST);
    assertThat(choice.recomputedLayers()).isZero();
    assertThat(choice.in(none).fits()).isTrue();
    MemoryChoice fewer = new MemoryChoice(0, 0, choice.hostLayers() - 1);
    assertThat(fewer.in(none).fits()).isFalse();
    MemoryPlan most = small(KeptActivations.INPUTS.first(30), 150, 1);
    // two are left, and what fits with fewer is no faster with them
    assertThat(choose(most, HOST)).isEqualTo(new MemoryChoice(0, 30, 0));
  }

  @Test
  void whereNothingFitsItComesNearest() {
    MemoryPlan again = small(KeptActivations.INPUTS, 10, 1);
    MemoryChoice least = choose(again, BOTH);
    assertThat(least.hostLayers()).isGreaterThan(20);
    long bytes = least.in(again).table().deviceBytes();
    assertThat(bytes).isLessThan(new MemoryChoice(0, ALL, 0).in(again).table().deviceBytes());
    MemoryPlan none = small(KeptActivations.ALL, 10, 1);
    MemoryChoice choice = choose(none, HOST);
    assertThat(choice.hostLayers()).isGreaterThan(20);
    assertThat(choice.in(none).hostHolds()).isTrue();
  }

  /** Each leaves its input too, and two of them at most are on the GPU. */
  @Test
  void layersLeaveWhereTheInputsOfAllAreTooMuch() {
    MemoryPlan plan = small(KeptActivations.INPUTS, 15, 1);
    assertThat(plan.fits()).isFalse();
    for (Set<Open> open : List.of(BOTH, HOST)) {
      assertThat(choose(plan, open).in(plan).fits()).as("%s", open).isTrue();
    }
  }

  @Test
  void theRatioComesFirst() {
    MemoryPlan plan = large(new Machine(70 * GB, 200 * GB, 1));
    MemoryChoice ratio = choose(plan, Set.of(Open.OFFLOAD_RATIO, Open.RECOMPUTED_LAYERS));
    MemoryChoice all =
        choose(plan, Set.of(Open.OFFLOAD_RATIO, Open.RECOMPUTED_LAYERS, Open.HOST_LAYERS));
    assertThat(all.offloadRatio()).isEqualTo(ratio.offloadRatio()).isPositive();
    assertThat(all.in(plan).fits()).isTrue();
    requireFastest(plan.with(plan.rank().withOffloadRatio(all.offloadRatio())), all, 70, ALL);
  }

  @Test
  void whatIsNotKnownToBeFasterIsNotDone() {
    MemoryPlan plan = large(new Machine(150 * GB, 128 * GB, 1));
    MemoryChoice choice = MemoryChoice.of(plan, BOTH, Nodes.of(1), Optional.empty());
    assertThat(choice).isEqualTo(choose(plan, Set.of(Open.RECOMPUTED_LAYERS)));
    assertThat(MemoryChoice.noHostLayers(plan, Optional.empty()))
        .contains("the speed of these GPUs is not known");
    MemoryPlan dropout = adapted(plan, new LoraSpec(16, 16, 0.1, false, List.of("q_proj")));
    assertThat(choose(dropout, HOST).hostLayers()).isZero();
    assertThat(MemoryChoice.noHostLayers(dropout, H200))
        .contains("only the fused layers can wait on the host");
    assertThat(MemoryChoice.noHostLayers(plan, H200)).isEmpty();
  }

  /** Nothing else that fits is faster, and nothing as fast has fewer layers on the host. */
  private static void requireFastest(
      MemoryPlan plan, MemoryChoice choice, int leastAgain, int mostAgain) {
    double best = speed(choice.in(plan)).tokensPerSecond();
    int layers = plan.rank().config().numHiddenLayers();
    for (int onHost = 0; onHost <= layers; onHost++) {
      for (long again = leastAgain; again <= mostAgain; again = next(again, layers - onHost)) {
        MemoryPlan other = new MemoryChoice(choice.offloadRatio(), (int) again, onHost).in(plan);
        double tokens = speed(other).tokensPerSecond();
        if (tokens > best || (tokens == best && onHost < choice.hostLayers())) {
          assertThat(other.fits()).as("%s on the host, %s again", onHost, again).isFalse();
        }
      }
    }
    assertThat(choice.in(plan).fits()).isTrue();
    assertThat(speed(choice.in(plan)).binds()).isIn(Bound.COMPUTE, Bound.HOST_COPIES);
  }

  private static long next(long again, int others) {
    if (again == ALL) {
      return again + 1;
    }
    return again + 1 < others ? again + 1 : ALL;
  }

  /** Less is computed of short rows, of which a part is learned, and copies hide beside less. */
  @Test
  void rowsThatAreKnownDecide() {
    MemoryPlan plan = small(KeptActivations.INPUTS, 150, 1);
    RowStatistics rows = new RowStatistics(new TreeMap<>(Map.of(16, 1L)), 0, false, 0, 16, 0.1);
    MemoryPlan known = new MemoryPlan(plan.rank(), plan.batch(), plan.machine(), rows);
    assertThat(choose(known, HOST).hostLayers()).isBetween(1, choose(plan, HOST).hostLayers() - 1);
  }

  private static SpeedEstimate speed(MemoryPlan plan) {
    return SpeedEstimate.of(plan, Nodes.of(plan.machine().gpus()), H200).orElseThrow();
  }

  private static MemoryChoice choose(MemoryPlan plan, Set<Open> open) {
    return MemoryChoice.of(plan, open, Nodes.of(plan.machine().gpus()), H200);
  }

  private static MemoryPlan small(KeptActivations activations, long gigabytes, int gpus) {
    MemoryTable.Rank rank =
        SpeedEstimateTest.rank("llama3.1-8b", DType.FP8, activations, gpus, false, 0);
    Machine machine = new Machine(gigabytes * GB, 500 * GB, gpus);
    return new MemoryPlan(rank, new BatchShape(4, 1024), machine, RowStatistics.unpacked());
  }

  private static MemoryPlan large(Machine machine) {
    MemoryTable.Rank rank =
        SpeedEstimateTest.rank("llama3.1-70b", DType.FP8, KeptActivations.INPUTS, 1, false, 0);
    MemoryPlan plan =
        new MemoryPlan(rank, new BatchShape(1, 8192), machine, RowStatistics.unpacked());
    List<String> attention = List.of("q_proj", "k_proj", "v_proj", "o_proj");
    return adapted(plan, new LoraSpec(16, 16, 0, false, attention));
  }

  private static MemoryPlan adapted(MemoryPlan plan, LoraSpec lora) {
    TrainingSpec spec = plan.rank().spec();
    TrainingSpec changed =
        new TrainingSpec(
            spec.mode(),
            lora,
            spec.weights(),
            spec.compute(),
            spec.batches(),
            spec.updates(),
            spec.seed(),
            spec.evaluation());
    return plan.with(new MemoryTable.Rank(plan.rank().config(), changed, 1, 1, false));
  }
}
