package dev.anneal.spark.cli;

import dev.anneal.spark.Request;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.evaluate.EvaluationJob;
import dev.anneal.spark.evaluate.EvaluationRequest;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.session.RunSession;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "evaluate",
    description = "Measures loss and perplexity of a data set, with and without an adapter.",
    mixinStandardHelpOptions = true,
    versionProvider = CommandLineInterface.Version.class)
final class EvaluateCommand implements Callable<Integer> {
  @Mixin private ConfigOptions config;

  @Option(
      names = "--model",
      paramLabel = "BASE",
      description = "A Hugging Face model folder, where it is not that of --config.")
  private String model;

  @Option(
      names = "--adapter",
      paramLabel = "DIR",
      description = "A PEFT adapter of that model, as a run leaves it in adapter/.")
  private String adapter;

  @ArgGroup(multiplicity = "1")
  private Rows rows;

  private static final class Rows {
    @Option(
        names = "--data",
        paramLabel = "SOURCE",
        description = "Rows as data.source takes them; --set data.format=... says what they hold.")
    private String data;

    @Option(
        names = "--dataset",
        paramLabel = "FOLDER",
        description = "A prepared data set: a run's folder, or its dataset/.")
    private String dataset;
  }

  @Option(
      names = "--split",
      paramLabel = "SPLIT",
      description =
          "Of --dataset: train or eval; what is held out, if anything is, where it is not given.")
  private String split;

  @Option(
      names = "--generate",
      paramLabel = "N",
      defaultValue = "0",
      description = "Answers the first N prompts, to be read in evaluation.html.")
  private int generate;

  @Option(
      names = "--max-tokens",
      paramLabel = "N",
      defaultValue = "" + EvaluationRequest.DEFAULT_MAX_TOKENS,
      description = "Longest answer (default: ${DEFAULT-VALUE}).")
  private int maxTokens;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      defaultValue = "" + EvaluationRequest.DEFAULT_BATCH_SIZE,
      description = "Sequences of a pass (default: ${DEFAULT-VALUE}).")
  private int batchSize;

  @Option(
      names = "--output",
      paramLabel = "FOLDER",
      description = "Where evaluation.json and evaluation.html go; --data needs it.")
  private String output;

  @Option(names = "--overwrite", description = "Replaces an evaluation in --output.")
  private boolean overwrite;

  @Mixin private DebugOption debug;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @Override
  public Integer call() {
    EvaluationRequest request = request();
    Request session =
        new Request(
            Request.Command.TRAIN,
            request.config(),
            request.existing(),
            debug.detail(),
            0,
            ProgressDisplay.Medium.ofProcess());
    try (RunSession opened = RunSession.forRequest(session)) {
      EvaluationJob.execute(
          request, opened, spec.commandLine().getOut(), ProgressDisplay.Medium.ofProcess());
    }
    return 0;
  }

  private EvaluationRequest request() {
    AnnealConfig loaded =
        config.load(
            EvaluationRequest.WITHOUT_CONFIG,
            EvaluationRequest.values(model, adapter, rows.data, output));
    return new EvaluationRequest(
        loaded,
        EvaluationRequest.located(rows.dataset),
        EvaluationRequest.split(split),
        generate,
        maxTokens,
        batchSize,
        EvaluationRequest.located(output),
        overwrite ? Request.Existing.REPLACE : Request.Existing.KEEP);
  }
}
