package dev.anneal.spark.cli;

import dev.anneal.spark.Request;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.spark.config.Locations;
import dev.anneal.spark.generate.Chat;
import dev.anneal.spark.generate.ChatTerminal;
import dev.anneal.spark.generate.Decoding;
import dev.anneal.spark.generate.Generation;
import dev.anneal.spark.generate.GenerationOutput;
import dev.anneal.spark.generate.GenerationRequest;
import dev.anneal.spark.generate.PromptInput;
import dev.anneal.spark.progress.ProgressDisplay.Medium;
import dev.anneal.spark.session.RunSession;
import dev.anneal.training.generate.Sampling;
import java.io.PrintWriter;
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
        paramLabel = "SOURCE",
        description =
            "Rows with prompt or messages: what data.source takes, as JSON, CSV, Parquet or table:NAME; of another file each line is a prompt.")
    private String source;

    @Option(names = "--chat", description = "Talks with whoever types, a line a turn.")
    private boolean chat;
  }

  @Option(
      names = "--prompts-column",
      paramLabel = "NAME",
      description = "The column of --prompts that holds the prompt: a text, or messages.")
  private String promptsColumn;

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
      description =
          "Where the lines go in the place of standard output; Parquet where it ends with / or .parquet. The same command goes on where one was cut off.")
  private String output;

  // the handler of failures asks the parser for it
  @SuppressWarnings("UnusedVariable")
  @Mixin
  private DebugOption debug;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @Override
  public Integer call() {
    Decoding decoding = decoding();
    require(
        promptsColumn == null || prompts.source != null,
        "--prompts-column names a column of --prompts, which is not given");
    require(!prompts.chat || output == null, "--output is not for --chat: leave one of them out");
    GenerationOutput place = output == null ? null : GenerationOutput.of(output);
    GenerationRequest request = new GenerationRequest(config(), decoding, input(place), place);
    PrintWriter out = spec.commandLine().getOut();
    PrintWriter err = spec.commandLine().getErr();
    Request session = Request.of(Request.Command.TRAIN, request.config(), Request.Existing.KEEP);
    try (RunSession opened = RunSession.forRequest(session)) {
      if (prompts.chat) {
        boolean prompting = Boolean.getBoolean("anneal.terminal.input");
        ChatTerminal terminal = new ChatTerminal(System.in, out, err, prompting);
        Chat.execute(request.config(), decoding, opened, terminal, err);
      } else {
        // a line that renews itself would mix with the answers
        Medium medium = output == null ? Medium.FILE : Medium.ofProcess();
        Generation.execute(request, opened, out, err, medium);
      }
    }
    return 0;
  }

  private PromptInput input(GenerationOutput place) {
    return prompts.source == null
        ? new PromptInput.Texts(prompts.texts)
        : new PromptInput.Source(
            Locations.resolve(prompts.source, Path.of("")),
            promptsColumn,
            place != null && place.form() == GenerationOutput.Form.PARQUET);
  }

  private AnnealConfig config() {
    Map<String, Object> values = new HashMap<>();
    values.put("model.path", model);
    // also where the configuration names one to start training from
    values.put("lora.init_from", adapter);
    values.put("lora.init", "default");
    values.put("lora.use_dora", false);
    return config.load(ConfigLoader.ON_ONE_CPU, values);
  }

  private Decoding decoding() {
    require(maxTokens >= 1, "--max-tokens is %s, but must be 1 or more".formatted(maxTokens));
    require(batchSize >= 1, "--batch-size is %s, but must be 1 or more".formatted(batchSize));
    require(stops.stream().noneMatch(String::isEmpty), "--stop is empty, but must be a text");
    require(
        temperature != null || (topK == 0 && topP == 1),
        "--top-p and --top-k draw, but nothing is drawn without --temperature: add --temperature 1");
    try {
      Sampling sampling =
          new Sampling(temperature == null ? 0 : temperature, topK, topP, repetitionPenalty, seed);
      return new Decoding(maxTokens, sampling, stops, batchSize);
    } catch (IllegalArgumentException e) {
      throw new CommandLine.ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }

  private void require(boolean holds, String otherwise) {
    if (!holds) {
      throw new CommandLine.ParameterException(spec.commandLine(), otherwise);
    }
  }
}
