package dev.anneal.training.trainer;

import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.activations.StepMemory;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.trainer.MemoryTable.Rank;
import dev.anneal.training.trainer.MemoryTable.Row;
import java.util.Optional;

/**
 * What to tell of a run before it takes memory. It is refused only where what is sure to be
 * allocated is more than there is; where estimates and the largest possible micro-batch are, it is
 * warned of.
 *
 * @param plan with the memory that is free now
 * @param gpuTotalBytes of the smallest GPU, whoever holds it now
 * @param hostFreeBytes what the ranks of a host may take together; {@link Long#MAX_VALUE}: not
 *     known
 */
public record MemoryVerdict(MemoryPlan plan, long gpuTotalBytes, long hostFreeBytes) {

  /** Why it cannot run, and the setting with which it could, in one sentence. */
  public Optional<String> refusal() {
    return gpuRefusal().or(this::hostRefusal);
  }

  /** Likewise, for what the GPUs have in all. */
  public Optional<String> gpuRefusal() {
    long needed = sureDeviceBytes();
    if (needed > gpuTotalBytes) {
      return Optional.of(
          "The run needs at least %s of a GPU that has %s: %s."
              .formatted(HostNeed.size(needed), HostNeed.size(gpuTotalBytes), remedy()));
    }
    return Optional.empty();
  }

  /** Likewise, for what the hosts have free, which may be more at another time. */
  public Optional<String> hostRefusal() {
    HostNeed need = HostNeed.pinned(plan.rank(), sureBatch(), plan.machine().gpus());
    return need.total() > hostFreeBytes
        ? Optional.of(
            "The run needs at least %s of a host's memory, page-locked for %s (%s), and %s are free: %s."
                .formatted(
                    HostNeed.size(need.total()),
                    plan.machine().gpus() == 1
                        ? "its GPU"
                        : "its %s GPUs".formatted(plan.machine().gpus()),
                    need.inWords(),
                    HostNeed.size(hostFreeBytes),
                    remedy()))
        : Optional.empty();
  }

  /** What may not fit, in one sentence; to be asked where nothing is refused. */
  public Optional<String> warning() {
    if (plan.fits()) {
      return Optional.empty();
    }
    MemoryTable table = plan.table();
    MemoryPlan.Machine machine = plan.machine();
    boolean gpu = table.deviceBytes() > machine.gpuBytes();
    return Optional.of(
        "The run may take up to %s of %s, and %s are free: if it fails for want of memory, %s."
            .formatted(
                HostNeed.size(gpu ? table.deviceBytes() : table.hostBytes(machine.gpus())),
                gpu ? "a GPU" : "a host",
                HostNeed.size(gpu ? machine.gpuBytes() : machine.hostBytes()),
                remedy()));
  }

  /**
   * The refusal of a run without GPUs, whose ranks hold everything in the host's memory.
   *
   * @param ranks of a host
   * @param freeBytes what they may take together
   */
  public static Optional<String> refusalOnCpu(Rank rank, int ranks, long freeBytes) {
    HostNeed need = HostNeed.onCpu(rank, ranks);
    if (need.total() <= freeBytes) {
      return Optional.empty();
    }
    TrainingSpec.Weights weights = rank.spec().weights();
    Rank halved = rank.with(rank.spec().compute().activations(), weights.as(DType.BF16));
    boolean half =
        weights.dtype() == DType.FP32
            && rank.spec().mode() == TrainingSpec.Mode.LORA
            && HostNeed.onCpu(halved, ranks).total() <= freeBytes;
    return Optional.of(
        "The run needs at least %s of a host's memory for %s (%s), and %s are free: %s."
            .formatted(
                HostNeed.size(need.total()),
                ranks == 1 ? "its rank" : "its %s ranks".formatted(ranks),
                need.inWords(),
                HostNeed.size(freeBytes),
                half
                    ? "set base_weights.dtype=bf16"
                    : "take hosts with more memory, or a smaller model"));
  }

  private long sureDeviceBytes() {
    StepMemory step = MemoryTable.step(plan.rank(), sureBatch());
    return MemoryTable.lasting(plan.rank()).stream().mapToLong(Row::deviceBytes).sum()
        + step.inputs()
        + step.kept();
  }

  private BatchShape sureBatch() {
    BatchShape batch = plan.batch();
    return new BatchShape(batch.rows(), plan.rows().sureTokens(batch.length()));
  }

  private String remedy() {
    return plan.remedy()
        .map("set %s"::formatted)
        .orElse(
            plan.rank().spec().mode() == TrainingSpec.Mode.FULL
                ? "no setting is enough, so take more GPUs, or set training.mode=lora"
                : "no setting is enough, so take GPUs or hosts with more memory");
  }
}
