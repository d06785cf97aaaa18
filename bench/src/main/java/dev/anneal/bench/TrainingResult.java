package dev.anneal.bench;

import static java.util.Locale.ROOT;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.host.HostMemory;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.timing.StepTimes;
import dev.anneal.training.trainer.MemoryTable;
import dev.anneal.training.trainer.StepMetrics;
import java.io.IOException;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;

/** What is printed of a measurement. */
record TrainingResult(TrainingOptions options, LocalCheckpoints checkpoints, HostMemoryPeak host) {
  /**
   * One JSON line.
   *
   * @param all steps, those before the measured ones too
   */
  void print(List<StepMetrics> all) throws IOException {
    List<StepMetrics> measured = all.subList(options.warmup, all.size());
    double seconds = measured.stream().mapToDouble(TrainingResult::milliseconds).sum() / 1000;
    long tokens = measured.stream().mapToLong(StepMetrics::tokens).sum();
    StepMetrics last = all.get(all.size() - 1);
    ObjectNode line = new ObjectMapper().createObjectNode();
    line.put("name", options.name);
    line.put("tokens_per_second", tokens / seconds);
    if (options.rows != null) {
      line.put("rows_per_second", tokens / seconds * PackedRows.read(options.rows).rowsPerToken());
    }
    line.put("step_milliseconds", 1000 * seconds / measured.size());
    line.put("median_milliseconds", medianMilliseconds(measured));
    if (options.host) {
      line.put("host_milliseconds", medianMilliseconds(measured));
    }
    line.put("timings", options.timings.name());
    if (last.times().areKnown()) {
      line.put("device_ms", median(measured, StepTimes::device));
      line.put("exchange_ms", median(measured, StepTimes::exchange));
      line.put("offload_ms", median(measured, StepTimes::offload));
      line.put("host_enqueue_ms", median(measured, StepTimes::hostEnqueue));
      line.put("data_wait_ms", median(measured, StepTimes::dataWait));
    }
    putMemory(line, last);
    line.put("tokens_per_step", tokens / measured.size());
    line.put("first_loss", all.get(0).loss());
    line.put("last_loss", last.loss());
    line.put("gpus", options.gpus);
    if (options.checkpointEvery > 0) {
      putCheckpoints(line, measured);
    }
    System.out.println("RESULT " + line);
  }

  private void putMemory(ObjectNode line, StepMetrics last) {
    line.put("peak_gb", last.peakMemoryBytes() / 1e9);
    if (!options.onGpu()) {
      return;
    }
    if (options.rows == null) {
      MemoryTable predicted = options.memory();
      line.put("predicted_gb", predicted.tensorBytes() / 1e9);
      line.put("predicted_device_gb", predicted.deviceBytes() / 1e9);
      line.put("predicted_host_gb", predicted.hostBytes(options.gpus) / 1e9);
    }
    line.put("host_gb", host.bytes() / 1e9);
    line.put("resident_gb", HostMemory.residentPeakBytes() / 1e9);
    GpuMemory memory = new GpuMemory(Device.gpu(0));
    line.put("peak_reserved_gb", memory.peakReservedBytes() / 1e9);
    // the context, the kernels, NCCL, and other processes if there are any
    long outside = memory.totalBytes() - memory.freeBytes() - memory.reservedBytes();
    line.put("outside_gb", outside / 1e9);
  }

  private void putCheckpoints(ObjectNode line, List<StepMetrics> measured) {
    line.put("failed_checkpoints", checkpoints.failed());
    line.put("checkpoints", checkpoints.complete());
    line.put("checkpoint_gb", checkpoints.bytes() / 1e9 / checkpoints.complete());
    line.put("checkpoint_seconds", checkpoints.seconds() / checkpoints.complete());
    line.put(
        "median_milliseconds_after_checkpoint",
        medianMilliseconds(
            measured.stream().filter(m -> (m.step() - 1) % options.checkpointEvery == 0).toList()));
  }

  /** The table of memory, a row a line. */
  static void print(String name, MemoryTable table) {
    Stream.concat(table.tensors().stream(), table.assumed().stream())
        .forEach(
            row ->
                System.out.printf(
                    ROOT,
                    "%-60s %9.3f GB %9.3f GB of the host%n",
                    row.name(),
                    row.deviceBytes() / 1e9,
                    row.hostBytesOfFirst() / 1e9));
    System.out.printf(
        ROOT,
        "%s: tensors %.3f GB, all %.3f GB, host %.3f GB%n",
        name,
        table.tensorBytes() / 1e9,
        table.deviceBytes() / 1e9,
        table.hostBytes() / 1e9);
  }

  static double milliseconds(StepMetrics step) {
    return 1000 * step.tokens() / step.tokensPerSecond();
  }

  private static double medianMilliseconds(List<StepMetrics> steps) {
    double[] sorted = steps.stream().mapToDouble(TrainingResult::milliseconds).sorted().toArray();
    return sorted.length == 0 ? Double.NaN : sorted[sorted.length / 2];
  }

  private static double median(List<StepMetrics> steps, ToDoubleFunction<StepTimes> part) {
    double[] sorted = steps.stream().map(StepMetrics::times).mapToDouble(part).sorted().toArray();
    return sorted[sorted.length / 2];
  }
}
