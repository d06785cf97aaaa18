package dev.anneal.training.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.NcclPair;
import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.cuda.DeviceMemoryException;
import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.cuda.MappedMemory;
import dev.anneal.training.cuda.RegisteredMemory;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.ThreadRanks;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;
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

  private interface Rank {
    void run(Collectives shard, PeerArena arena) throws Exception;
  }

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
          try (PeerArena arena = open(rank, device)) {
            NoPeerAccessException refusal =
                catchThrowableOfType(
                    NoPeerAccessException.class,
                    () -> PeerMemory.share(rank, arena, arena.take(1, 16)));
            assertThat(refusal).hasMessage("ranks 0 and 1 share a device");
          }
          return null;
        });
  }

  @Test
  void aPullGivesThePartsOfBothGpus() throws Exception {
    onTwo(
        (shard, arena) -> {
          Device device = arena.device();
          Tensor mine = arena.take(1, 4000).get(0).view(ScalarType.Float);
          mine.fill_(of(shard.rank() + 1));
          try (PeerMemory memory = PeerMemory.share(shard, arena, List.of(mine));
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
    onTwo(
        (shard, arena) -> {
          Device device = arena.device();
          Tensor mine = arena.take(1, 4 << 20).get(0).view(ScalarType.Float).zero_();
          Tensor source = Tensors.ones(device, ScalarType.Float, 1 << 20);
          Tensor found = Tensors.zeros(device, ScalarType.Float, 1 << 20);
          try (PeerMemory memory = PeerMemory.share(shard, arena, List.of(mine));
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

  /**
   * Rank 1 takes and frees memory of every kind, and reads rank 0's, while the collective of rank 0
   * waits for it. Where one of these waits for both GPUs, the last line that is printed says which.
   */
  @Test
  void nothingThatARankDoesWaitsForItsPeersCollective() throws Exception {
    CountDownLatch enqueued = new CountDownLatch(1);
    onTwo(
        (shard, arena) -> {
          Device device = arena.device();
          Tensor part = Tensors.ones(device, ScalarType.Float, 1 << 20);
          Tensor mine = arena.take(1, BYTES).get(0).fill_(of(shard.rank() + 1));
          shard.allGather(part);
          try (PeerMemory memory = PeerMemory.share(shard, arena, List.of(mine));
              CudaStream stream = CudaStream.of(device)) {
            if (shard.rank() == 0) {
              shard.allGather(part);
              enqueued.countDown();
            } else {
              assertThat(enqueued.await(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
              Thread.sleep(300);
              takeAndFree(shard, device, memory, stream);
              shard.allGather(part);
            }
            assertThat(shard.allGather(part).sum().item_double()).isEqualTo(2 << 20);
          }
        });
  }

  /** Rank 1 has given its GPU more than its queue holds, all behind a collective. */
  @Test
  void aCopyOutOfAPeerIsEnqueuedWhileItsQueueIsFull() throws Exception {
    CountDownLatch enqueued = new CountDownLatch(1);
    onTwo(
        (shard, arena) -> {
          Device device = arena.device();
          Tensor part = Tensors.ones(device, ScalarType.Float, 1 << 20);
          Tensor mine = arena.take(1, BYTES).get(0).fill_(of(shard.rank() + 1));
          Tensor found = Tensors.zeros(device, ScalarType.Byte, BYTES);
          shard.allGather(part);
          try (PeerMemory memory = PeerMemory.share(shard, arena, List.of(mine));
              CudaStream stream = CudaStream.of(device)) {
            if (shard.rank() == 1) {
              shard.allGather(part);
              enqueued.countDown();
              for (int i = 0; i < 4000; i++) {
                part.fill_(of(1));
              }
            } else {
              assertThat(enqueued.await(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
              Thread.sleep(1000);
              told(
                  "a copy is enqueued",
                  () -> memory.on(stream).copy(address(found), memory.address(1, 0), BYTES));
              shard.allGather(part);
            }
            stream.synchronize();
            shard.barrier();
          }
        });
  }

  private static void takeAndFree(
      Collectives shard, Device device, PeerMemory memory, CudaStream stream) {
    List<Integer> other = List.of(1 - shard.rank());
    CudaPeerDriver driver = new CudaPeerDriver(device);
    try (TensorScope scope = new TensorScope()) {
      told("a tensor", () -> Tensors.empty(device, ScalarType.Byte, 1L << 30));
    }
    told("the end of a cache", new GpuMemory(device)::emptyOwnCache);
    told(
        "pages for both",
        () -> {
          try {
            driver.free(driver.allocate(1L << 30, other), 1L << 30);
          } catch (NoPeerAccessException e) {
            throw new AssertionError(e);
          }
        });
    told(
        "page-locked memory",
        () -> RegisteredMemory.allocate(device, 1, 256L << 20, 2, done -> {}).closeUnused());
    Tensor found = Tensors.zeros(device, ScalarType.Byte, BYTES);
    torch_cuda.getCurrentCUDAStream().synchronize();
    told(
        "a copy of the peer's",
        () -> {
          memory.on(stream).copy(address(found), memory.address(0, 0), BYTES);
          stream.synchronize();
        });
    assertThat(found.max().item_int()).isEqualTo(1);
  }

  private static void told(String what, Runnable work) {
    long start = System.nanoTime();
    System.out.printf(Locale.ROOT, "%s ...", what);
    System.out.flush();
    work.run();
    System.out.printf(Locale.ROOT, " %.2f ms%n", (System.nanoTime() - start) / 1e6);
  }

  /** One GPU is enough for these. */
  @Test
  void pagesAreMemoryLikeAnyOther() {
    onOne(
        (alone, arena) -> {
          List<Tensor> taken = arena.take(2, 4 * 1000);
          arena.requireReadable();
          Tensor first = taken.get(0).view(ScalarType.Float);
          Tensor second = taken.get(1).view(ScalarType.Float);
          assertThat(first.is_cuda()).isTrue();
          assertThat(address(second) - address(first)).isEqualTo(4096);
          first.copy_(Tensors.ones(Device.CPU, ScalarType.Float, 1000));
          second.fill_(of(2));
          assertThat(first.add(second).sum().item_double()).isEqualTo(3000);
          assertThat(Tensors.to(Device.CPU, second).sum().item_double()).isEqualTo(2000);
          try (CudaStream stream = CudaStream.of(arena.device());
              CudaStream.Use use = stream.use()) {
            second.mul_(first);
            stream.synchronize();
          }
          assertThat(second.sum().item_double()).isEqualTo(2000);
        });
  }

  @Test
  void whatIsTakenIsCountedAndGivenBack() {
    onOne(
        (alone, unused) -> {
          Device device = unused.device();
          GpuMemory memory = new GpuMemory(device);
          MappedMemory mapped = new MappedMemory();
          long free = memory.freeBytes();
          try (PeerArena arena =
              PeerArena.open(alone, device, new CudaPeerDriver(device), mapped)) {
            long held = memory.allocatedBytes();
            arena.take(3, 1L << 30);
            arena.requireReadable();
            assertThat(mapped.bytes()).isEqualTo(3L << 30);
            assertThat(memory.allocatedBytes()).as("libtorch's").isEqualTo(held);
            assertThat(free - memory.freeBytes()).isGreaterThanOrEqualTo(3L << 30);
            assertThatThrownBy(() -> arena.take(1, memory.totalBytes()))
                .isInstanceOf(DeviceMemoryException.class);
          }
          assertThat(mapped.bytes()).isZero();
          assertThat(free - memory.freeBytes()).isLessThan(1L << 30);
        });
  }

  /** What libtorch keeps of tensors that are gone makes room for pages. */
  @Test
  void pagesTakeTheRoomThatLibtorchKeeps() {
    onOne(
        (alone, arena) -> {
          GpuMemory memory = new GpuMemory(arena.device());
          try (TensorScope scope = new TensorScope()) {
            Tensors.empty(arena.device(), ScalarType.Byte, memory.freeBytes() / 4 * 3);
          }
          long kept = memory.reservedBytes();
          arena.take(1, memory.freeBytes() + kept / 2);
          arena.requireReadable();
          assertThat(memory.reservedBytes()).isLessThan(kept / 2);
        });
  }

  /** Tells what a copy costs the host and what the link gives; asserts nothing of either. */
  @Test
  void tellsWhatACopyTakes() throws Exception {
    onTwo(
        (shard, arena) -> {
          Device device = arena.device();
          Tensor mine = arena.take(1, BYTES).get(0).fill_(of(1));
          Tensor found = Tensors.zeros(device, ScalarType.Byte, BYTES);
          try (PeerMemory memory = PeerMemory.share(shard, arena, List.of(mine));
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

  private static void onOne(Rank work) {
    Device device = Device.gpu(0);
    ThreadRanks.run(
        1,
        alone -> {
          Gpus.bind(device);
          try (PeerArena arena = open(alone, device)) {
            work.run(alone, arena);
          }
          return null;
        });
  }

  private static void onTwo(Rank rank) throws Exception {
    NcclPair.assumeGpus(2);
    NcclPair.run(
        PATIENCE,
        (shard, device) -> {
          try (PeerArena arena = open(shard, device)) {
            rank.run(shard, arena);
          }
        });
  }

  private static PeerArena open(Collectives ranks, Device device) {
    return PeerArena.open(ranks, device, new CudaPeerDriver(device), new MappedMemory());
  }
}
