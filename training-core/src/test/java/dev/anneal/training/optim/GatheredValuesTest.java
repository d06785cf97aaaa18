package dev.anneal.training.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.collective.FirstOfTwo;
import dev.anneal.training.cuda.MappedMemory;
import dev.anneal.training.optim.Parameters.Exchange;
import dev.anneal.training.optim.Parameters.Gathered;
import dev.anneal.training.optim.Parameters.Summed;
import dev.anneal.training.peer.HostPeerDriver;
import dev.anneal.training.peer.PeerArena;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.ThreadRanks;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Values that come bucket by bucket, of a rank whose peer is made up. */
@ExtendWith(InTensorScope.class)
class GatheredValuesTest {
  private static final int LAYERS = 5;

  /** Eight elements of a rank each, and none in the third. */
  private static final List<List<Parameters.Shape>> BUCKETS =
      List.of(
          List.of(new Parameters.Shape("a", 4, 4)),
          List.of(new Parameters.Shape("b", 16)),
          List.of(),
          List.of(new Parameters.Shape("d", 5), new Parameters.Shape("e", 7)),
          List.of(new Parameters.Shape("f", 16)));

  private final Peer peer = new Peer();

  @Test
  void aValueIsThatOfBothRanks() {
    Parameters parameters = parameters();
    for (String name : List.of("a", "b", "f", "a")) {
      int first = BUCKETS.get(parameters.layout().bucket(name)).get(0).name().charAt(0);
      assertThat(Tensors.doubles(parameters.compute(name).flatten().to(ScalarType.Double)))
          .as("half of this rank, and half of its peer")
          .containsExactly(eachEight(first, 2 * first));
    }
    assertThat(parameters.compute("a").sizes().vec().get()).containsExactly(4, 4);
    assertThat(Tensors.doubles(parameters.compute("e").to(ScalarType.Double)))
        .containsExactly('e', 'e', 'e', 2 * 'd', 2 * 'd', 2 * 'd', 2 * 'd');
  }

  @Test
  void goingForthAndBackGathersEachButTheLastTwice() {
    Parameters parameters = parameters();
    for (int layer = 0; layer < LAYERS; layer++) {
      assertIsThere(parameters, layer, layer + 1 < LAYERS ? layer + 1 : Parameters.NONE);
    }
    assertThat(peer.gathers).isEqualTo(4);
    for (int layer = LAYERS - 1; layer >= 0; layer--) {
      // the forward of a layer that is computed again, then its backward
      assertIsThere(parameters, layer, layer - 1);
      assertIsThere(parameters, layer, layer - 1);
    }
    // the last two, d and f, were still there
    assertThat(peer.gathers).isEqualTo(4 + 2);
  }

  @Test
  void theNextComesWhileOneIsUsed() {
    Parameters parameters = parameters();
    parameters.use(0, 1);
    assertThat(peer.gathers).isEqualTo(2);
    parameters.use(1, Parameters.NONE);
    assertThat(peer.gathers).isEqualTo(2);
    // an empty bucket takes no place, and what comes after it does
    parameters.use(2, 3);
    assertThat(peer.gathers).isEqualTo(3);
    assertIsThere(parameters, 1, Parameters.NONE);
    assertIsThere(parameters, 3, Parameters.NONE);
    assertThat(peer.gathers).isEqualTo(3);
  }

  @Test
  void nothingOldIsUsedOnceValuesHaveChanged() {
    Parameters parameters = parameters();
    assertIsThere(parameters, 0, 1);
    parameters.master().fill_(Tensors.scalar(7));
    parameters.publish();
    for (String name : List.of("a", "b")) {
      assertThat(Tensors.doubles(parameters.compute(name).flatten().to(ScalarType.Double)))
          .containsExactly(eachEight(7, 14));
    }
  }

  @Test
  void allAreHandedOnWithoutBeingTogether() {
    Parameters parameters = parameters();
    List<Integer> order = new ArrayList<>();
    parameters.use(1, 3);
    parameters.forEachCompute(
        (bucket, whole) -> {
          order.add(bucket);
          assertThat(whole.narrow(0, 0, 1).item_double())
              .isEqualTo(BUCKETS.get(bucket).get(0).name().charAt(0));
          assertThat(whole.numel()).isEqualTo(16);
        });
    assertThat(order).containsExactly(0, 1, 3, 4);
    assertIsThere(parameters, 0, 1);
    assertThat(parameters.computeIsTogether()).isFalse();
    assertThatThrownBy(parameters::compute)
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("the ranks' values are brought together bucket by bucket, never all at once");
  }

  /** Values of ranks that read each other's memory, changed while they are used. */
  @ParameterizedTest
  @ValueSource(ints = {2, 3})
  void copiesBringTheSame(int worldSize) {
    ThreadRanks.run(
        worldSize,
        world -> {
          HostPeerDriver driver = new HostPeerDriver(world.rank());
          PeerArena arena = PeerArena.open(world, Device.CPU, driver, new MappedMemory());
          Exchange exchange = new Exchange(Gathered.BY_BUCKET, Summed.BY_BUCKET, arena);
          try (Parameters parameters = new Parameters(BUCKETS, DType.BF16, world, exchange)) {
            parameters.exchangeByCopies();
            for (int step = 1; step <= 3; step++) {
              parameters.master().fill_(Tensors.scalar(10 * step + world.rank()));
              parameters.publish();
              for (int bucket : new int[] {0, 1, 2, 3, 4, 3, 1, 0}) {
                long part = parameters.layout().parts().part(bucket);
                Tensor values = parameters.compute(parameters.use(bucket, bucket / 2), bucket);
                for (int rank = 0; rank < worldSize && part > 0; rank++) {
                  Tensor ofRank = values.narrow(0, rank * part, part).to(ScalarType.Double);
                  assertThat(Tensors.doubles(ofRank)).containsOnly(10 * step + rank);
                }
              }
            }
          }
          assertThat(driver.held()).as("opened, mapped and allocated").isZero();
          return null;
        });
  }

  /** What its name and {@link Peer} make of it; wherever it is, its memory does not move. */
  private static void assertIsThere(Parameters parameters, int bucket, int next) {
    int place = parameters.use(bucket, next);
    Tensor values = parameters.compute(place, bucket);
    if (!BUCKETS.get(bucket).isEmpty()) {
      assertThat(values.narrow(0, 0, 1).item_double())
          .as("bucket %s", bucket)
          .isEqualTo(BUCKETS.get(bucket).get(0).name().charAt(0));
      assertThat(values.data_ptr().address())
          .isEqualTo(parameters.compute(place, (bucket + 1) % 2).data_ptr().address());
    }
  }

  private static double[] eachEight(double first, double second) {
    double[] values = new double[16];
    for (int i = 0; i < values.length; i++) {
      values[i] = i < 8 ? first : second;
    }
    return values;
  }

  /** Every parameter is what its name's letter is worth. */
  private Parameters parameters() {
    Parameters parameters =
        new Parameters(BUCKETS, DType.FP32, Device.CPU, peer, Gathered.BY_BUCKET);
    for (String name : parameters.layout().names()) {
      Tensor ones = Tensors.ones(Device.CPU, ScalarType.Float, parameters.layout().shape(name));
      parameters.assign(name, ones.mul(Tensors.scalar(name.charAt(0))));
    }
    parameters.publish();
    return parameters;
  }

  /** This is rank 0 of two; its peer has twice what it has itself. */
  private static final class Peer implements FirstOfTwo {
    private int gathers;

    @Override
    public void allGatherInto(Tensor whole, Tensor shard) {
      gathers++;
      try (TensorScope scope = new TensorScope()) {
        long n = shard.numel();
        whole.narrow(0, 0, n).copy_(shard);
        whole.narrow(0, n, n).copy_(shard.mul(Tensors.scalar(2)));
      }
    }
  }
}
