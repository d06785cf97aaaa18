package dev.anneal.spark.preflight;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.train.PlannedRun;
import dev.anneal.training.cuda.Gpu;
import dev.anneal.training.host.HostMemory;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.trainer.MemoryPlan;
import dev.anneal.training.trainer.MemoryVerdict;
import dev.anneal.training.trainer.SpeedEstimate.GpuKind;
import java.util.List;
import java.util.Optional;
import org.apache.spark.SparkConf;

/**
 * Whether a run is larger than the machine, where the driver is on the one that it runs on. What is
 * free there the ranks find out, of everything that they take together.
 */
final class MemoryCheck {
  private MemoryCheck() {}

  /**
   * Checks it.
   *
   * @throws BadRequestException naming the setting with which it could fit, if it surely does not
   */
  static void check(AnnealConfig config, LlamaConfig shape, SparkConf conf) {
    if (!Slots.isOneMachine(conf)) {
      return;
    }
    long host = HostMemory.here().totalBytes();
    int ranks = config.worldSize();
    Optional<String> refusal;
    if (config.cluster().gpusPerNode() == 0) {
      refusal = MemoryVerdict.refusalOnCpu(PlannedRun.rank(config, shape), ranks, host);
    } else {
      List<Gpu> gpus = GpuCheck.requireHere(ranks).stream().limit(ranks).toList();
      long gpu = gpus.stream().mapToLong(Gpu::memoryBytes).min().orElseThrow();
      refusal =
          refusal(
              config,
              shape,
              new MemoryPlan.Machine(gpu, host, ranks),
              GpuKind.ofAll(gpus.stream().map(Gpu::name)));
    }
    if (refusal.isPresent()) {
      throw new BadRequestException(refusal.get());
    }
  }

  /** The refusal of a run whose ranks are all on one machine of which nothing is taken yet. */
  static Optional<String> refusal(
      AnnealConfig config, LlamaConfig shape, MemoryPlan.Machine machine, Optional<GpuKind> kind) {
    MemoryPlan plan = PlannedRun.settled(config, shape, machine, PlannedRun.rows(config), kind);
    return new MemoryVerdict(plan, machine.gpuBytes(), machine.hostBytes()).refusal();
  }
}
