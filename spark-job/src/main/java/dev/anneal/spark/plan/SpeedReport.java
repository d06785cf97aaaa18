package dev.anneal.spark.plan;

import static java.util.Locale.ROOT;

import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.training.trainer.MemoryPlan;
import dev.anneal.training.trainer.SpeedEstimate;
import dev.anneal.training.trainer.TrafficTable;
import java.util.Optional;

/** What a step moves and how long it takes, in the words of the command line. */
final class SpeedReport {
  private static final double SECONDS_PER_HOUR = 3600;

  private SpeedReport() {}

  /** The traffic of a step, and the estimate where there is one. */
  static String of(MemoryPlan plan, PlanRequest request) {
    AnnealConfig config = request.config();
    int microBatches = config.training().gradientAccumulation();
    int gpusOfNode = config.cluster().gpusPerNode();
    TrafficTable traffic = TrafficTable.of(plan.rank(), plan.batch(), microBatches, gpusOfNode);
    StringBuilder text = new StringBuilder();
    text.append("\nWhat a step moves, GB of a GPU:\n\n");
    text.append(line("", "from host", "to host", "NVLink", "network"));
    traffic.rows().forEach(row -> text.append(line(row)));
    text.append(line(traffic.all()));
    text.append('\n');
    Optional<SpeedEstimate> estimate = SpeedEstimate.of(plan, request.nodes(), request.gpu());
    text.append(
        estimate
            .map(found -> said(found, request))
            .orElseGet(
                () ->
                    request.gpu().isEmpty()
                        ? "Speed: no estimate, for only H100s of 80 GB and H200s are known.\n"
                        : "Speed: no estimate, for only the fused layers are known: plain LoRA in bf16 without dropout.\n"));
    text.append(
        "Arithmetic, not a measurement: docs/plan.md says what it was compared with and what is assumed.\n");
    return text.toString();
  }

  private static String said(SpeedEstimate estimate, PlanRequest request) {
    AnnealConfig config = request.config();
    String steps =
        config.training().epochs() == null
            ? String.format(
                ROOT,
                "; %,d steps take %.1f hours",
                config.training().maxSteps(),
                config.training().maxSteps() * estimate.stepSeconds() / SECONDS_PER_HOUR)
            : "";
    String network =
        config.cluster().nodes() == 1
            ? ""
            : String.format(
                ROOT,
                "; a node receives %.0f Gbit/s from others",
                request.nodes().networkBytes() * Byte.SIZE / 1e9);
    return String.format(
        ROOT,
        "Speed on %s: about %,.0f tokens/s of all GPUs, %.2f s a step%s%s; what binds: %s%s\n",
        estimate.gpu(),
        estimate.tokensPerSecond(),
        estimate.stepSeconds(),
        steps,
        network,
        estimate.binds().words(),
        gathers(estimate));
  }

  /** The part of the time that would be saved without any. */
  private static String gathers(SpeedEstimate estimate) {
    return estimate.binds() == SpeedEstimate.Bound.COMPUTE && estimate.gatherSeconds() > 0
        ? String.format(ROOT, ", %.2f s of it for gathers over NVLink", estimate.gatherSeconds())
        : "";
  }

  private static String line(TrafficTable.Row row) {
    return line(
        row.name(),
        cell(row.toGpu()),
        cell(row.toHost()),
        cell(row.fromPeers()),
        cell(row.fromNodes()));
  }

  private static String line(
      String name, String toGpu, String toHost, String fromPeers, String fromNodes) {
    return String.format(ROOT, "%-40s%11s%11s%11s%11s", name, toGpu, toHost, fromPeers, fromNodes)
            .stripTrailing()
        + "\n";
  }

  private static String cell(long bytes) {
    return bytes == 0 ? "" : String.format(ROOT, "%.2f", bytes / 1e9);
  }
}
