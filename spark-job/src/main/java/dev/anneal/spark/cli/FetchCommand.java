package dev.anneal.spark.cli;

import dev.anneal.data.hub.HubRepository;
import dev.anneal.data.hub.HubSelection;
import dev.anneal.spark.Request;
import dev.anneal.spark.fetch.Fetch;
import dev.anneal.spark.fetch.FetchRequest;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.session.RunSession;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

@Command(
    name = "fetch",
    description = {
      "Brings a model or data set from the Hugging Face hub to a folder or an object store.",
      "The same command goes on where an earlier one was cut off."
    },
    mixinStandardHelpOptions = true,
    versionProvider = CommandLineInterface.Version.class)
final class FetchCommand implements Callable<Integer> {
  private static final Map<String, HubRepository.Type> TYPES =
      Map.of("model", HubRepository.Type.MODEL, "dataset", HubRepository.Type.DATASET);

  @Parameters(paramLabel = "REPO", description = "The repository: ORG/NAME.")
  private String repository;

  @Option(
      names = "--output",
      paramLabel = "URI",
      description = "A local folder, or any Hadoop URI: then executors fetch.")
  private String output;

  @Option(
      names = "--revision",
      paramLabel = "R",
      defaultValue = "main",
      description = "Branch, tag or commit (default: ${DEFAULT-VALUE}).")
  private String revision;

  @Option(
      names = "--type",
      paramLabel = "TYPE",
      defaultValue = "model",
      description = "model or dataset (default: ${DEFAULT-VALUE}).")
  private String type;

  @Option(
      names = "--include",
      paramLabel = "GLOB",
      description = "Fetches only what matches; may be repeated; * also stands for slashes.")
  private List<String> include = new ArrayList<>();

  @Option(
      names = "--exclude",
      paramLabel = "GLOB",
      description = "Leaves out what matches; may be repeated.")
  private List<String> exclude = new ArrayList<>();

  @Option(
      names = "--connections",
      paramLabel = "N",
      description = "Connections at a time to a local folder (default: 8).")
  private int connections = FetchRequest.CONNECTIONS;

  @Option(
      names = "--dry-run",
      description = "Prints parameters, bytes and dtypes by the weight files' headers alone.")
  private boolean dryRun;

  @Option(names = "--overwrite", description = "Replaces what stands in the folder.")
  private boolean overwrite;

  @Mixin private DebugOption debug;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @Override
  public Integer call() {
    if (!TYPES.containsKey(type)) {
      throw new ParameterException(
          spec.commandLine(), "--type is " + type + ", but must be model or dataset");
    }
    if (output == null && !dryRun) {
      throw new ParameterException(
          spec.commandLine(), "--output is missing: name a folder or a URI to fetch to");
    }
    PrintWriter out = spec.commandLine().getOut();
    try (RunSession session = RunSession.forTasks(debug.detail())) {
      if (dryRun) {
        out.print(Fetch.preview(request(), session.hadoop()));
        out.flush();
      } else {
        Fetch.execute(request(), session, out, ProgressDisplay.Medium.ofProcess());
      }
      session.succeeded();
    }
    return 0;
  }

  private FetchRequest request() {
    return new FetchRequest(
        Fetch.repository(TYPES.get(type), repository),
        revision,
        output,
        new HubSelection(include, exclude),
        overwrite ? Request.Existing.REPLACE : Request.Existing.KEEP,
        connections);
  }
}
