package dev.anneal.spark.cli;

import dev.anneal.spark.Request;
import dev.anneal.spark.config.ConfigContext;
import dev.anneal.spark.merge.MergeJob;
import dev.anneal.spark.merge.MergeRequest;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.session.RunSession;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "merge",
    description = "Puts an adapter into its base model, as a new model.",
    mixinStandardHelpOptions = true,
    versionProvider = CommandLineInterface.Version.class)
final class MergeCommand implements Callable<Integer> {
  @Option(
      names = "--adapter",
      required = true,
      paramLabel = "DIR",
      description = "The PEFT adapter: a path or any Hadoop URI, such as the adapter/ of a run.")
  private String adapter;

  @Option(
      names = "--output",
      required = true,
      paramLabel = "DIR",
      description = "Where the merged model goes: an empty folder.")
  private String output;

  @Option(
      names = "--model",
      paramLabel = "BASE",
      description = "The base model, where it is not the folder that the adapter names.")
  private String model;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description =
          "fp32, fp16, bf16, or fp8 in the form that vLLM loads; as the base model if not given.")
  private String dtype;

  @Option(
      names = "--max-shard-size",
      paramLabel = "SIZE",
      defaultValue = MergeRequest.DEFAULT_SHARD_SIZE,
      description = "How much a file may hold: ${DEFAULT-VALUE} if not given.")
  private String maxShardSize;

  @Option(
      names = "--verify",
      description = "Reads the result again and holds it against base model and adapter.")
  private boolean verify;

  @Option(names = "--dry-run", description = "Says what would be written, and writes nothing.")
  private boolean dryRun;

  @Option(names = "--overwrite", description = "Replaces a merged model in --output.")
  private boolean overwrite;

  @Mixin private DebugOption debug;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @Override
  public Integer call() {
    MergeRequest request =
        MergeRequest.of(
            adapter,
            model,
            output,
            dtype,
            maxShardSize,
            verify,
            overwrite ? Request.Existing.REPLACE : Request.Existing.KEEP);
    PrintWriter out = spec.commandLine().getOut();
    if (dryRun) {
      ConfigContext process = ConfigContext.ofProcess();
      MergeJob.plan(request, process.spark(), process.hadoop().get(), out);
      return 0;
    }
    Request.Detail detail = debug.detail();
    try (RunSession session = RunSession.forTasks(detail)) {
      MergeJob.execute(request, session, out, ProgressDisplay.Medium.ofProcess());
    }
    return 0;
  }
}
