package dev.anneal.spark.cli;

import dev.anneal.spark.Request;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.Locations;
import dev.anneal.spark.generate.Generation;
import dev.anneal.spark.generate.GenerationRequest;
import dev.anneal.spark.session.RunSession;
import dev.anneal.training.generate.Sampling;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "generate",
    description = "Goes on from prompts, with a model and an adapter; prints a JSON object a line.",
    mixinStandardHelpOptions = true,
    versionProvider = CommandLineInterface.Version.class)
final class GenerateCommand implements Callable<Integer> {
  /** Where no configuration says how the model is held: as transformers would on a CPU. */
  private static final List<String> WITHOUT_CONFIG =
      List.of(
          "cluster.nodes=1",
          "cluster.gpus_per_node=0",
          "base_weights.dtype=fp32",
          "base_weights.shard=none",
          "compute.dtype=fp32",
          "compute.matmul=fp32");

  @Mixin private ConfigOptions config;

  @Option(
      names = "--model",
      required = true,
      paramLabel = "BASE",
      description = "A Hugging Face model folder: a path or any Hadoop URI.")
  private String model;

  @Option(
      names = "--adapter",
      paramLabel = "DIR",
      description = "A PEFT adapter of that model, as a run leaves it in adapter/.")
  private String adapter;

  @ArgGroup(multiplicity = "1")
  private Prompts prompts;

  private static final class Prompts {
    @Option(
        names = "--prompt",
        paramLabel = "TEXT",
        description = "What to go on from; may be repeated.")
    private List<String> texts = new ArrayList<>();

    @Option(
        names = "--prompts",
        paramLabel = "FILE",
        description = "A prompt a line; of *.jsonl an object with prompt or messages.")
    private String file;
  }

  @Option(
      names = "--max-tokens",
      paramLabel = "N",
      defaultValue = "256",
      description = "Longest continuation (default: ${DEFAULT-VALUE}).")
  private int maxTokens;

  @Option(
      names = "--temperature",
      paramLabel = "T",
      description = "Draws the next token; 0, the default, takes the likeliest.")
  private Double temperature;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      defaultValue = "1",
      description = "Draws from the likeliest tokens whose probabilities sum to P.")
  private double topP;

  @Option(
      names = "--top-k",
      paramLabel = "K",
      defaultValue = "0",
      description = "Draws from the K likeliest tokens; 0: all.")
  private int topK;

  @Option(
      names = "--repetition-penalty",
      paramLabel = "P",
      defaultValue = "1",
      description = "More than 1 makes tokens less likely that were there before.")
  private double repetitionPenalty;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "42",
      description = "Of the draws (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Option(
      names = "--stop",
      paramLabel = "TEXT",
      description = "Ends a continuation before this text; may be repeated.")
  private List<String> stops = new ArrayList<>();

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      defaultValue = "8",
      description = "Most prompts side by side (default: ${DEFAULT-VALUE}).")
  private int batchSize;

  @Option(
      names = "--output",
      paramLabel = "FILE",
      description = "Where the lines go in the place of standard output.")
  private String output;

  // the handler of failures asks the parser for it
  @SuppressWarnings("UnusedVariable")
  @Option(names = "--debug", description = "Prints stack traces.")
  private boolean debug;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @Override
  public Integer call() {
    require(maxTokens >= 1, "--max-tokens is %s, but must be 1 or more".formatted(maxTokens));
    require(batchSize >= 1, "--batch-size is %s, but must be 1 or more".formatted(batchSize));
    require(stops.stream().noneMatch(String::isEmpty), "--stop is empty, but must be a text");
    GenerationRequest request =
        new GenerationRequest(
            config(),
            prompts.texts,
            located(prompts.file),
            maxTokens,
            sampling(),
            stops,
            batchSize,
            located(output));
    Request session = Request.of(Request.Command.TRAIN, request.config(), Request.Existing.KEEP);
    try (RunSession opened = RunSession.forRequest(session)) {
      Generation.execute(request, opened, spec.commandLine().getOut(), spec.commandLine().getErr());
    }
    return 0;
  }

  private AnnealConfig config() {
    Map<String, Object> values = new HashMap<>();
    values.put("model.path", model);
    // also where the configuration names one to start training from
    values.put("lora.init_from", adapter);
    return config.load(WITHOUT_CONFIG, values);
  }

  private Sampling sampling() {
    require(
        temperature != null || (topK == 0 && topP == 1),
        "--top-p and --top-k draw, but nothing is drawn without --temperature: add --temperature 1");
    try {
      return new Sampling(
          temperature == null ? 0 : temperature, topK, topP, repetitionPenalty, seed);
    } catch (IllegalArgumentException e) {
      throw new CommandLine.ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }

  private void require(boolean holds, String otherwise) {
    if (!holds) {
      throw new CommandLine.ParameterException(spec.commandLine(), otherwise);
    }
  }

  private static String located(String path) {
    return path == null ? null : Locations.resolve(path, Path.of(""));
  }
}
