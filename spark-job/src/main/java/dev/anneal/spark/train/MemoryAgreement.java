package dev.anneal.spark.train;

import static java.util.Locale.ROOT;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.trainer.MemoryChoice;
import dev.anneal.training.trainer.MemoryPlan;
import dev.anneal.training.trainer.MemoryVerdict;
import dev.anneal.training.trainer.RowStatistics;
import dev.anneal.training.trainer.SpeedEstimate.GpuKind;
import dev.anneal.training.trainer.SpeedEstimate.Nodes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.spark.BarrierTaskContext;

/**
 * What the nodes of a run agree on before they take memory: each comes to the same by the same
 * arithmetic on what all of them have.
 *
 * @param config with what was left to memory to decide
 * @param choice that decision, where something was left open
 * @param sentences what the user is to know
 */
record MemoryAgreement(AnnealConfig config, Optional<MemoryChoice> choice, List<String> sentences) {

  MemoryAgreement {
    sentences = List.copyOf(sentences);
  }

  /**
   * Asks all nodes, which all have to come here.
   *
   * @throws BadRequestException if the run cannot fit
   * @throws IllegalStateException if it cannot as long as so little of the host is free
   */
  static MemoryAgreement reach(
      AnnealConfig config,
      LlamaConfig shape,
      RowStatistics rows,
      BarrierTaskContext context,
      NodeMemory here) {
    List<NodeMemory> nodes =
        Arrays.stream(context.allGather(here.toText())).map(NodeMemory::parse).toList();
    return of(config, shape, rows, NodeMemory.agree(nodes));
  }

  /** Likewise, of what they have. */
  static MemoryAgreement of(
      AnnealConfig config, LlamaConfig shape, RowStatistics rows, NodeMemory.Agreed memory) {
    if (config.cluster().gpusPerNode() == 0) {
      requireFree(
          MemoryVerdict.refusalOnCpu(
              PlannedRun.rank(config, shape),
              memory.machine().gpus(),
              memory.machine().hostBytes()));
      return onCpus(config);
    }
    MemoryPlan plan = PlannedRun.of(config, shape, memory.machine(), rows);
    List<String> sentences = new ArrayList<>();
    Optional<MemoryChoice> choice = Optional.empty();
    AnnealConfig settled = config;
    if (!config.open().isEmpty()) {
      MemoryChoice made =
          MemoryChoice.of(plan, config.open(), Nodes.of(memory.ranksOfHost()), memory.kind());
      settled = config.withMemory(made);
      plan = made.in(plan);
      sentences.add(told(config, settled, plan, memory.kind()));
      choice = Optional.of(made);
    }
    MemoryVerdict verdict =
        new MemoryVerdict(plan, memory.gpuTotal(), memory.machine().hostBytes());
    verdict
        .gpuRefusal()
        .ifPresent(
            refusal -> {
              throw new BadRequestException(refusal);
            });
    requireFree(verdict.hostRefusal());
    verdict.warning().ifPresent(warning -> sentences.add("Note: " + warning));
    return new MemoryAgreement(settled, choice, sentences);
  }

  /** Nothing but the layers on the host may be open there, and none can be: all are. */
  private static MemoryAgreement onCpus(AnnealConfig config) {
    if (config.open().isEmpty()) {
      return new MemoryAgreement(config, Optional.empty(), List.of());
    }
    MemoryChoice none =
        new MemoryChoice(config.baseWeights().ratio(), config.activations().recomputedLayers(), 0);
    return new MemoryAgreement(
        config.withMemory(none),
        Optional.of(none),
        List.of("On CPUs: activations.host_layers=0 (all layers are in the host's memory)"));
  }

  /**
   * Not for good: what an attempt before has left may still be going, and the next finds it free.
   */
  private static void requireFree(Optional<String> shortage) {
    if (shortage.isPresent()) {
      throw new IllegalStateException(shortage.get());
    }
  }

  private static String told(
      AnnealConfig config, AnnealConfig settled, MemoryPlan plan, Optional<GpuKind> kind) {
    MemoryPlan.Machine machine = plan.machine();
    List<String> settings = new ArrayList<>();
    if (config.baseWeights().isAuto()) {
      settings.add(
          String.format(ROOT, "base_weights.offload_ratio=%.2f", settled.baseWeights().ratio()));
    }
    if (config.activations().checkpointIsAuto()) {
      settings.add("activations.checkpoint=" + settled.activations().checkpoint().asText());
    }
    if (config.activations().hostLayersAreAuto()) {
      settings.add(PlannedRun.chosenHostLayers(plan, kind));
    }
    String host =
        machine.hostBytes() == Long.MAX_VALUE
            ? ""
            : String.format(ROOT, " and %.1f GB of a host", machine.hostBytes() / 1e9);
    return String.format(
        ROOT,
        "By the memory that is free, %.1f GB of a GPU%s: %s",
        machine.gpuBytes() / 1e9,
        host,
        String.join(", ", settings));
  }
}
