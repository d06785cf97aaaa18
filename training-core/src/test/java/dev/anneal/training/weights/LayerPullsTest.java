package dev.anneal.training.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.peer.CopyStream;
import dev.anneal.training.peer.ForwardingCopies;
import dev.anneal.training.peer.HostPeerDriver;
import dev.anneal.training.peer.PeerDriver;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.weights.FrozenLayersTest.Visit;
import dev.anneal.training.weights.reader.LoadProgress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Layers that are pulled are the layers that are resident. */
@ExtendWith(InTensorScope.class)
@Timeout(120)
class LayerPullsTest {

  static Stream<Arguments> storages() {
    List<Arguments> storages = new ArrayList<>();
    for (DType dtype : DType.values()) {
      for (int ranks : new int[] {2, 3, 7}) {
        for (double ratio : new double[] {0, 0.3, 0.5, 1}) {
          storages.add(Arguments.of(dtype, ranks, ratio));
        }
      }
    }
    return storages.stream();
  }

  @ParameterizedTest
  @MethodSource("storages")
  void everyLayerIsWhatAResidentOneIs(DType dtype, int ranks, double ratio) {
    assertResident(dtype, ranks, ratio, HostPeerDriver::new);
  }

  /** The last of three ranks is late with every copy, or the others are. */
  @ParameterizedTest
  @CsvSource({"true, 0.5", "false, 0.5", "true, 1", "false, 1"})
  void nobodyWritesOverWhatALateOneStillReads(boolean last, double ratio) {
    assertResident(
        DType.FP8,
        3,
        ratio,
        rank -> (rank == 2) == last ? new LateDriver(rank) : new HostPeerDriver(rank));
  }

  private interface Drivers {
    HostPeerDriver of(int rank);
  }

  private static void assertResident(DType dtype, int ranks, double ratio, Drivers drivers) {
    FrozenLayers resident =
        FrozenLayers.load(
            FrozenLayersTest.CONFIG,
            placement(dtype, new SingleRank(), 0, Transport.ANY),
            FrozenLayersTest.WEIGHTS);
    List<Visit> visits = FrozenLayersTest.visits();
    ThreadRanks.run(
        ranks,
        rank -> {
          HostPeerDriver driver = drivers.of(rank.rank());
          try (FrozenLayers frozen = load(placement(dtype, rank, ratio, Transport.PEERS), driver)) {
            assertThat(frozen.whyGathered()).isEmpty();
            int before = rank.gathers();
            for (Visit visit : visits) {
              try (TensorScope scope = new TensorScope()) {
                FrozenLayer layer = frozen.use(visit.layer(), visit.next());
                FrozenLayersTest.assertSame(layer, resident.use(visit.layer(), FrozenLayers.NONE));
              }
            }
            assertThat(rank.gathers()).as("gathers of layers").isEqualTo(before);
          }
          assertThat(driver.held()).as("opened and mapped").isZero();
          return null;
        });
  }

  @Test
  void holdsNoMoreThanWhereTheGroupGathers() {
    ThreadRanks.run(
        3,
        rank -> {
          Placement pulling = placement(DType.FP8, rank, 0.5, Transport.PEERS);
          Placement gathering = placement(DType.FP8, rank, 0.5, Transport.COLLECTIVE);
          try (FrozenLayers pulled = load(pulling, new HostPeerDriver(rank.rank()));
              FrozenLayers gathered = load(gathering, new HostPeerDriver(rank.rank()))) {
            assertThat(pulled.holdings()).isEqualTo(gathered.holdings());
            assertThat(gathered.whyGathered()).contains("anneal.weights.transport says so");
          }
          return null;
        });
  }

  @Test
  void gathersOnTheHostUnlessPeersAreAskedFor() {
    ThreadRanks.run(
        2,
        rank -> {
          try (FrozenLayers frozen = load(placement(DType.BF16, rank, 0, Transport.ANY), null)) {
            assertThat(frozen.whyGathered()).contains("they compute on the host");
          }
          assertThatThrownBy(() -> load(placement(DType.BF16, rank, 0, Transport.PEERS), null))
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("they compute on the host");
          return null;
        });
  }

  /** Until it has been measured. */
  @Test
  void threadsGatherUnlessTheyAreAsked() {
    ThreadRanks.run(
        2,
        rank -> {
          HostPeerDriver driver = new HostPeerDriver(rank.rank());
          try (FrozenLayers frozen = load(placement(DType.BF16, rank, 0, Transport.ANY), driver)) {
            assertThat(frozen.whyGathered())
                .contains(
                    "rank 0: ranks are threads of one process, which copy only with"
                        + " anneal.weights.transport=peers");
            assertThat(driver.held()).as("allocated").isZero();
          }
          return null;
        });
  }

  /** What the driver gives is freed behind all that reads it, and counted meanwhile. */
  @Test
  void whatThreadsReadIsTakenBesideLibtorch() {
    ThreadRanks.run(
        2,
        rank -> {
          HostPeerDriver driver = new HostPeerDriver(rank.rank());
          Placement placement = placement(DType.FP8, rank, 0.5, Transport.PEERS);
          try (FrozenLayers frozen = load(placement, driver)) {
            FrozenLayers.Holdings held = frozen.holdings();
            // all but the scales of this rank's own rows
            assertThat(placement.mapped().bytes())
                .isGreaterThan(held.bufferBytes())
                .isLessThan(held.deviceBytes() + held.bufferBytes() + 3 * 4096);
          }
          assertThat(placement.mapped().bytes()).isZero();
          return null;
        });
  }

  private static Placement placement(
      DType stored, Collectives ranks, double ratio, Transport transport) {
    return new Placement(Device.CPU, stored, DType.FP32, ranks, ratio, transport);
  }

  private static FrozenLayers load(Placement placement, PeerDriver driver) {
    FrozenLayers frozen =
        new FrozenLayers(
            FrozenLayersTest.CONFIG, placement, LoadProgress.IGNORED, placement.arena(driver));
    FrozenLayersTest.WEIGHTS.stream(frozen.wanted(), Device.CPU, LoadProgress.IGNORED);
    frozen.complete();
    return frozen;
  }

  /** One whose copies take a while. */
  private static final class LateDriver extends HostPeerDriver {
    LateDriver(int rank) {
      super(rank);
    }

    @Override
    public CopyStream on(CudaStream stream) {
      CopyStream prompt = super.on(stream);
      return new ForwardingCopies(prompt) {
        @Override
        public void copy(long to, long from, long bytes) {
          LockSupport.parkNanos(200_000);
          super.copy(to, from, bytes);
        }
      };
    }
  }
}
