package dev.anneal.training.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.anneal.training.collective.NcclPair;
import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.ThreadRanks;
import java.time.Duration;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Memory of GPUs that are read by others, in one process. */
@Tag("gpu")
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class PeerMemoryGpuTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final long BYTES = 64L << 20;
  private static final int COPIES = 200;

  @BeforeAll
  static void load() {
    Gpus.require(1);
  }

  @Test
  void ranksOfOneGpuAreTold() {
    ThreadRanks.run(
        2,
        rank -> {
          Device device = Device.gpu(0);
          Gpus.bind(device);
          Tensor mine = Tensors.ones(device, ScalarType.Float, 4);
          NoPeerAccessException refusal =
              catchThrowableOfType(
                  NoPeerAccessException.class,
                  () -> PeerMemory.share(rank, device, driver(device), List.of(mine)));
          assertThat(refusal).hasMessage("ranks 0 and 1 share a device");
          return null;
        });
  }

  @Test
  void aPullGivesThePartsOfBothGpus() throws Exception {
    NcclPair.run(
        PATIENCE,
        (shard, device) -> {
          Tensor mine = Tensors.ones(device, ScalarType.Float, 1000).mul(of(shard.rank() + 1));
          try (PeerMemory memory = PeerMemory.share(shard, device, driver(device), List.of(mine));
              CudaStream stream = CudaStream.of(device)) {
            Tensor whole = Tensors.zeros(device, ScalarType.Float, 2000);
            CudaEvent zeroed = new CudaEvent(device);
            zeroed.record();
            stream.waitFor(zeroed);
            memory.pull(0, whole, stream);
            stream.synchronize();
            assertThat(whole.narrow(0, 0, 1000).sum().item_double()).isEqualTo(1000);
            assertThat(whole.narrow(0, 1000, 1000).sum().item_double()).isEqualTo(2000);
            zeroed.close();
          }
        });
  }

  /** A number that a GPU writes is seen by the stream of the other, and by the host. */
  @Test
  void oneGpuWaitsForTheOther() throws Exception {
    NcclPair.run(
        PATIENCE,
        (shard, device) -> {
          Tensor mine = Tensors.zeros(device, ScalarType.Float, 1 << 20);
          Tensor source = Tensors.ones(device, ScalarType.Float, 1 << 20);
          Tensor found = Tensors.zeros(device, ScalarType.Float, 1 << 20);
          try (PeerMemory memory = PeerMemory.share(shard, device, driver(device), List.of(mine));
              CudaStream stream = CudaStream.of(device)) {
            CopyStream copies = memory.on(stream);
            int peer = 1 - shard.rank();
            for (int round = 1; round <= 20; round++) {
              copies.await(memory.pulled(peer), round - 1);
              source.fill_(of(2 * round + shard.rank()));
              CudaEvent filled = new CudaEvent(device);
              filled.record();
              stream.waitFor(filled);
              filled.close();
              copies.copy(memory.address(shard.rank(), 0), address(source), source.nbytes());
              copies.write(memory.ready(shard.rank()), round);
              copies.await(memory.ready(peer), round);
              copies.copy(address(found), memory.address(peer, 0), found.nbytes());
              copies.write(memory.pulled(shard.rank()), round);
              stream.synchronize();
              assertThat(found.min().item_double())
                  .as("round %s", round)
                  .isEqualTo(2 * round + peer);
              assertThat(found.max().item_double())
                  .as("round %s", round)
                  .isEqualTo(2 * round + peer);
            }
            shard.barrier();
          }
        });
  }

  /** Tells what a copy costs the host and what the link gives; asserts nothing of either. */
  @Test
  void tellsWhatACopyTakes() throws Exception {
    NcclPair.run(
        PATIENCE,
        (shard, device) -> {
          Tensor mine = Tensors.ones(device, ScalarType.Byte, BYTES);
          Tensor found = Tensors.zeros(device, ScalarType.Byte, BYTES);
          try (PeerMemory memory = PeerMemory.share(shard, device, driver(device), List.of(mine));
              CudaStream stream = CudaStream.of(device)) {
            CopyStream copies = memory.on(stream);
            for (int from : new int[] {1 - shard.rank(), shard.rank()}) {
              for (int round = 0; round < 2; round++) {
                shard.barrier();
                long start = System.nanoTime();
                for (int i = 0; i < COPIES; i++) {
                  copies.copy(address(found), memory.address(from, 0), BYTES);
                }
                long enqueued = System.nanoTime();
                stream.synchronize();
                long done = System.nanoTime();
                if (round == 1) {
                  System.out.printf(
                      "rank %s reads of rank %s: %.2f us of the host a copy, %.0f GB/s%n",
                      shard.rank(),
                      from,
                      (enqueued - start) / 1e3 / COPIES,
                      BYTES * COPIES / (double) (done - start));
                }
              }
            }
            assertThat(found.min().item_double()).isEqualTo(1);
            shard.barrier();
          }
        });
  }

  private static Scalar of(double value) {
    return Tensors.scalar(value);
  }

  private static long address(Tensor tensor) {
    return tensor.data_ptr().address();
  }

  private static PeerDriver driver(Device device) {
    return new CudaPeerDriver(device, CudaPeerDriver.Within.PROCESS);
  }
}
