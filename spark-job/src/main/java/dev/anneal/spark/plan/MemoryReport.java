package dev.anneal.spark.plan;

import static java.util.Locale.ROOT;

import dev.anneal.spark.train.PlannedRun;
import dev.anneal.training.model.BatchShape;
import dev.anneal.training.trainer.FullTuningMemory;
import dev.anneal.training.trainer.MemoryPlan;
import dev.anneal.training.trainer.MemoryTable;
import dev.anneal.training.trainer.MemoryTable.Row;
import dev.anneal.training.trainer.TrainingSpec;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.Stream;

/** A plan in the words of the command line, sizes in GB of 10^9 bytes. */
final class MemoryReport {
  private MemoryReport() {}

  /** The table, and what else would fit. */
  static String of(MemoryPlan plan, PlanRequest request) {
    MemoryTable table = plan.table();
    MemoryPlan.Machine machine = plan.machine();
    BatchShape batch = plan.batch();
    StringBuilder text = new StringBuilder();
    text.append(
        "What one GPU holds at most, and the host for it, of %s x %s tokens at once:\n\n"
            .formatted(batch.rows(), batch.length()));
    text.append(line("", "GPU, GB", "host, GB"));
    Stream.concat(table.tensors().stream(), table.assumed().stream())
        .forEach(row -> text.append(line(row)));
    text.append(line(new Row(null, "all", table.deviceBytes(), table.hostBytes())));
    text.append('\n');
    text.append(
        "GPU: %s of %s GB\n"
            .formatted(gigabytes(table.deviceBytes()), gigabytes(machine.gpuBytes())));
    String host = gigabytes(table.hostBytes(machine.gpus()));
    text.append(
        machine.hostBytes() == Long.MAX_VALUE
            ? "Host, %s GPUs: %s GB (--host-memory says what there is)\n"
                .formatted(machine.gpus(), host)
            : "Host, %s GPUs: %s of %s GB\n"
                .formatted(machine.gpus(), host, gigabytes(machine.hostBytes())));
    text.append(settings(plan, request));
    if (!isFull(plan)) {
      text.append("Smallest base_weights.offload_ratio: ").append(ratio(plan)).append('\n');
    }
    text.append(
        "Largest training.micro_batch_size of %s tokens: %s\n"
            .formatted(batch.length(), count(plan.largestMicroBatch())));
    text.append("Longest sequence, one at a time: %s\n".formatted(count(plan.longestSequence())));
    return text.toString();
  }

  /** What the table is for; {@code auto} is decided here. */
  private static String settings(MemoryPlan plan, PlanRequest request) {
    TrainingSpec spec = plan.rank().spec();
    int recomputed = spec.compute().activations().recomputedLayers();
    String checkpoint =
        switch (recomputed) {
          case 0 -> "none";
          case Integer.MAX_VALUE -> "layer";
          default -> Integer.toString(recomputed);
        };
    return String.format(
        ROOT,
        "With base_weights.offload_ratio=%.2f, activations.checkpoint=%s%s\n",
        spec.weights().offloadRatio(),
        checkpoint,
        onHost(plan, request));
  }

  private static String onHost(MemoryPlan plan, PlanRequest request) {
    if (request.config().activations().hostLayersAreAuto()) {
      return ", " + PlannedRun.chosenHostLayers(plan, request.gpu());
    }
    int layers = plan.rank().spec().compute().activations().hostLayers();
    return layers == 0 ? "" : ", activations.host_layers=" + layers;
  }

  /** One sentence for a plan that does not fit. */
  static String refusal(MemoryPlan plan) {
    MemoryTable table = plan.table();
    MemoryPlan.Machine machine = plan.machine();
    if (isFull(plan)) {
      Optional<String> lacking =
          FullTuningMemory.lacking(
              plan.rank().config(),
              plan.rank().spec().compute().dtype(),
              plan.rank().worldSize(),
              machine.gpuBytes());
      if (lacking.isPresent()) {
        return lacking.get();
      }
    }
    boolean gpu = table.deviceBytes() > machine.gpuBytes();
    long has = gpu ? machine.gpuBytes() : machine.hostBytes();
    long needs = gpu ? table.deviceBytes() : table.hostBytes(machine.gpus());
    String remedy =
        plan.remedy()
            .map("set %s"::formatted)
            .orElse(
                isFull(plan)
                    ? "no setting is enough, so take more GPUs, or set training.mode=lora"
                    : "no setting is enough, so take GPUs or hosts with more memory");
    return "The run needs %s GB of %s that has %s GB: %s."
        .formatted(gigabytes(needs), gpu ? "a GPU" : "a host", gigabytes(has), remedy);
  }

  private static boolean isFull(MemoryPlan plan) {
    return plan.rank().spec().mode() == TrainingSpec.Mode.FULL;
  }

  private static String ratio(MemoryPlan plan) {
    OptionalDouble ratio = plan.smallestOffloadRatio();
    return ratio.isPresent() ? String.format(ROOT, "%.2f", ratio.getAsDouble()) : "none fits";
  }

  private static String count(long number) {
    return number == 0 ? "none fits" : Long.toString(number);
  }

  private static String line(Row row) {
    return line(row.name(), cell(row.deviceBytes()), cell(row.hostBytesOfFirst()));
  }

  private static String line(String name, String device, String host) {
    return String.format(ROOT, "%-56s%10s%10s", name, device, host).stripTrailing() + "\n";
  }

  private static String cell(long bytes) {
    return bytes == 0 ? "" : String.format(ROOT, "%.2f", bytes / 1e9);
  }

  private static String gigabytes(long bytes) {
    return String.format(ROOT, "%.1f", bytes / 1e9);
  }
}
