package dev.anneal.training.weights;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.JavaProcess;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.NcclPair;
import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.kernel.CudaKernels;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Two GPUs whose kernels read each other's rows of the embedding: accesses of 16 bytes, and single
 * elements where rows are not aligned; 8,001 rows are dealt to no two ranks evenly.
 */
@Tag("gpu")
@Timeout(120)
class PulledVocabularyGpuTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  @TempDir Path folder;

  @BeforeAll
  static void load() {
    NcclPair.assumeGpus(1);
  }

  @ParameterizedTest
  @CsvSource({"BF16, 1024", "BF16, 1001", "FP32, 1024", "FP32, 1001"})
  void threadsReadEachOthersRows(DType compute, int hidden) throws Exception {
    NcclPair.assumeGpus(2);
    NcclPair.run(PATIENCE, (shard, device) -> check(shard, device, compute, hidden));
  }

  @ParameterizedTest
  @CsvSource({"BF16, 1024", "BF16, 1001", "FP32, 1024", "FP32, 1001"})
  void processesReadEachOthersRows(DType compute, int hidden) throws Exception {
    try (RendezvousStore store = RendezvousStore.serve(PullingPeer.HOST, PATIENCE);
        JavaProcess peer =
            PullingPeer.start(
                folder.resolve("peer.log"),
                store,
                PATIENCE,
                List.of(compute.name(), Integer.toString(hidden), PullingPeer.VOCABULARY))) {
      try {
        NcclPair.joinAsProcess(
            store, 0, PATIENCE, (shard, device) -> check(shard, device, compute, hidden));
      } catch (RuntimeException | Error e) {
        throw new AssertionError("rank 0 failed; rank 1 says: " + peer.output(), e);
      }
      assertThat(peer.await(PATIENCE)).as(peer.output()).isZero();
    }
  }

  static void check(Collectives shard, Device device, DType compute, int hidden) {
    Placement placement = new Placement(device, DType.BF16, compute, shard, 0, Transport.PEERS);
    try (CudaKernels kernels = new CudaKernels(device)) {
      PulledVocabulary.check(
          PulledVocabulary.config(8001, hidden), compute, placement, placement.arena(), kernels);
    }
  }
}
