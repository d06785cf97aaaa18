package dev.anneal.spark.cli;

import dev.anneal.spark.config.ConfigContext;
import dev.anneal.spark.plan.PlanRequest;
import dev.anneal.spark.plan.RunMemory;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "plan",
    description = "Says what a run takes of GPUs and hosts, and whether it fits; starts nothing.",
    mixinStandardHelpOptions = true,
    versionProvider = CommandLineInterface.Version.class)
final class PlanCommand implements Callable<Integer> {
  @Mixin private ConfigOptions config;

  @Option(
      names = "--gpus",
      paramLabel = "N",
      description = "GPUs of a node, in place of cluster.gpus_per_node.")
  private Integer gpus;

  @Option(names = "--nodes", paramLabel = "N", description = "Nodes, in place of cluster.nodes.")
  private Integer nodes;

  @Option(
      names = "--gpu-memory",
      paramLabel = "SIZE",
      description = "Memory of a GPU, such as 141GB; if not given, that of the smallest here.")
  private String gpuMemory;

  @Option(
      names = "--host-memory",
      paramLabel = "SIZE",
      description = "Memory of a node, such as 2TB; if not given, that of this one with its GPUs.")
  private String hostMemory;

  @Option(
      names = "--network",
      paramLabel = "RATE",
      description = "What a node receives from others in a second, such as 100Gbit; else 400Gbit.")
  private String network;

  // the handler of failures asks the parser for it
  @SuppressWarnings("UnusedVariable")
  @Mixin
  private DebugOption debug;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @Override
  public Integer call() {
    Map<String, Object> values = new TreeMap<>();
    if (gpus != null) {
      values.put("cluster.gpus_per_node", gpus);
    }
    if (nodes != null) {
      values.put("cluster.nodes", nodes);
    }
    PlanRequest request =
        PlanRequest.of(config.load(List.of(), values), gpuMemory, hostMemory, network);
    RunMemory.requireFits(
        RunMemory.print(
            request, ConfigContext.ofProcess().hadoop().get(), spec.commandLine().getOut()));
    return 0;
  }
}
