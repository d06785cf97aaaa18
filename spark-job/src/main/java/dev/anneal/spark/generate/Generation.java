package dev.anneal.spark.generate;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.task.TaskResults;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.GenerationPrompt;
import dev.anneal.data.token.SpecialTokens;
import dev.anneal.data.token.TemplateRefusalException;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.cluster.BarrierStage;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.job.RootCause;
import dev.anneal.spark.preflight.GenerationCheck;
import dev.anneal.spark.preflight.OutputPlaceCheck;
import dev.anneal.spark.progress.ExecutorLogs;
import dev.anneal.spark.session.RunSession;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.train.GenerationTask;
import dev.anneal.spark.train.Specs;
import dev.anneal.storage.Storage;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.GenerationSpec;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.generate.StopTokens;
import dev.anneal.training.model.LlamaConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaSparkContext;

/** One request for continuations, from its checks to its lines. */
public final class Generation {
  private final GenerationRequest request;
  private final AnnealConfig config;
  private final RunSession session;
  private final Storage storage;

  private Generation(GenerationRequest request, RunSession session) {
    this.request = request;
    this.config = request.config();
    this.session = session;
    this.storage = new Storage(session.hadoop());
  }

  /**
   * Carries out a request.
   *
   * @param out for the lines, where they go into no file
   * @param notes told how it goes on
   * @throws BadRequestException if it cannot be carried out as it is, before executors have worked
   *     on it
   * @throws JobFailedException if it fails on the way
   */
  public static void execute(
      GenerationRequest request, RunSession session, PrintWriter out, PrintWriter notes) {
    try {
      new Generation(request, session).run(out, notes);
    } catch (InvalidDataException | InvalidModelException e) {
      throw new BadRequestException(e.getMessage(), e);
    }
  }

  private void run(PrintWriter out, PrintWriter notes) {
    requireFreeOutput();
    LlamaConfig shape = GenerationCheck.check(config, session.conf(), storage);
    String folder = tokenizerFolder();
    try (ChatTokenizer tokenizer = ChatTokenizer.load(folder, storage)) {
      List<AskedPrompt> asked = PromptReader.read(request, storage);
      List<Prompt> prompts = prompts(asked, tokenizer, shape);
      GenerationSpec generation =
          new GenerationSpec(request.maxTokens(), request.sampling(), stopTokens(tokenizer, shape));
      GenerationTask task =
          new GenerationTask(
              config,
              Specs.generation(config, request.batchSize(), generation),
              prompts,
              new GenerationTask.Texts(request.stops(), folder),
              storage);
      notes.println("Starting Spark on " + Slots.master(session.conf()) + " ...");
      notes.flush();
      List<String> lines = lines(asked, generate(task), tokenizer);
      write(lines, out);
      session.succeeded();
    }
  }

  private void requireFreeOutput() {
    String output = request.output();
    if (output == null) {
      return;
    }
    OutputPlaceCheck.check("--output", new RunFolder(output, session.hadoop()), session.conf());
    try {
      if (storage.exists(output)) {
        throw new BadRequestException(
            "%s is there already: remove it, or name another file with --output."
                .formatted(RunFolder.display(output)));
      }
      String probe = output + ".probe";
      storage.write(probe, out -> {});
      storage.delete(probe);
    } catch (IOException e) {
      throw new BadRequestException(
          "--output %s cannot be written (%s): choose a place that this user can write to."
              .formatted(RunFolder.display(output), e.getMessage()),
          e);
    }
  }

  private String tokenizerFolder() {
    if (config.model().tokenizer() != null) {
      return config.model().tokenizer();
    }
    ModelLocation model = ModelLocation.of(config.model().path());
    if (model instanceof ModelLocation.Folder folder) {
      return folder.location();
    }
    throw new BadRequestException(
        "The model %s has no tokenizer of its own: add --set model.tokenizer=FOLDER."
            .formatted(model.display()));
  }

  private List<Prompt> prompts(
      List<AskedPrompt> asked, ChatTokenizer tokenizer, LlamaConfig shape) {
    List<Prompt> prompts = new ArrayList<>();
    for (AskedPrompt prompt : asked) {
      int[] ids = ids(prompt, tokenizer);
      int context = shape.maxPositionEmbeddings();
      if (ids.length == 0) {
        throw new BadRequestException(
            "The prompt in %s is empty: write something.".formatted(prompt.place()));
      }
      if (ids.length > context) {
        throw new BadRequestException(
            "The prompt in %s has %s tokens, but the model's context has %s: shorten it."
                .formatted(prompt.place(), ids.length, context));
      }
      int largest = IntStream.of(ids).max().getAsInt();
      if (largest >= shape.vocabSize()) {
        throw new BadRequestException(
            "The prompt in %s has the token %s, but the model embeds only %s tokens: check model.tokenizer."
                .formatted(prompt.place(), largest, shape.vocabSize()));
      }
      prompts.add(new Prompt(prompts.size(), ids));
    }
    return prompts;
  }

  /** By the chat template; where there is none the texts alone, with what begins a text. */
  private static int[] ids(AskedPrompt prompt, ChatTokenizer tokenizer) {
    if (tokenizer.templateSha256().isPresent()) {
      try {
        return tokenizer.encode(tokenizer.render(prompt.messages(), GenerationPrompt.ADD));
      } catch (TemplateRefusalException e) {
        throw new BadRequestException(
            "The model's chat template does not take the prompt in %s (%s): correct it."
                .formatted(prompt.place(), e.getMessage()),
            e);
      }
    }
    if (prompt.messages().size() > 1) {
      throw new BadRequestException(
          "The prompt in %s is a conversation, but the tokenizer has no chat template: give a text."
              .formatted(prompt.place()));
    }
    int[] text = tokenizer.encode((String) prompt.messages().get(0).content());
    return IntStream.concat(IntStream.of(tokenizer.idsBeforeTexts()), IntStream.of(text)).toArray();
  }

  private Set<Integer> stopTokens(ChatTokenizer tokenizer, LlamaConfig shape) {
    try {
      ModelLocation model = ModelLocation.of(config.model().path());
      Set<Integer> ids =
          new HashSet<>(StopTokens.of(model.open(storage, config.training().seed()), shape));
      tokenizer.eosId().ifPresent(ids::add);
      for (String stop : request.stops()) {
        int[] stopIds = tokenizer.encode(stop);
        // marks are no part of the text that stop strings are looked for in
        if (stopIds.length == 1 && tokenizer.stopsGeneration(stopIds[0])) {
          ids.add(stopIds[0]);
        }
      }
      return ids;
    } catch (IOException e) {
      throw new BadRequestException(Storage.cannotRead(config.model().path(), e), e);
    }
  }

  private List<Completion> generate(GenerationTask task) {
    SparkContext spark = session.open().sparkContext();
    try {
      List<List<Completion>> ofTasks =
          TaskResults.collect(
              BarrierStage.of(
                  JavaSparkContext.fromSparkContext(spark),
                  config.cluster().nodes(),
                  config.cluster().gpusPerNode(),
                  task));
      return ofTasks.stream()
          .flatMap(List::stream)
          .sorted(Comparator.comparingLong(completion -> completion.prompt().index()))
          .toList();
    } catch (Exception e) {
      // Spark's are checked exceptions that no signature tells of
      String cause = new ExecutorLogs(spark).explain(e).orElseGet(() -> RootCause.sentence(e));
      throw new JobFailedException("Generation failed: " + cause, e);
    }
  }

  private List<String> lines(
      List<AskedPrompt> asked, List<Completion> completions, ChatTokenizer tokenizer) {
    List<String> lines = new ArrayList<>();
    for (Completion completion : completions) {
      ObjectNode line = asked.get((int) completion.prompt().index()).given().deepCopy();
      line.put("text", text(completion, tokenizer));
      line.put("finish_reason", completion.ending().name().toLowerCase(Locale.ROOT));
      line.put("prompt_tokens", completion.prompt().ids().length);
      line.put("tokens", completion.tokens().length);
      lines.add(line.toString());
    }
    return lines;
  }

  /** The continuation up to the first stop string. */
  private String text(Completion completion, ChatTokenizer tokenizer) {
    String text = tokenizer.decode(completion.tokens(), SpecialTokens.SKIP);
    int end = text.length();
    if (completion.ending() == Completion.Ending.STOP_STRING) {
      for (String stop : request.stops()) {
        int found = text.indexOf(stop);
        end = found < 0 ? end : Math.min(end, found);
      }
    }
    return text.substring(0, end);
  }

  private void write(List<String> lines, PrintWriter out) {
    String text = String.join("\n", lines) + "\n";
    if (request.output() == null) {
      out.print(text);
      out.flush();
      return;
    }
    try {
      storage.write(request.output(), sink -> sink.write(text.getBytes(StandardCharsets.UTF_8)));
    } catch (IOException e) {
      throw new JobFailedException(
          "%s cannot be written (%s)."
              .formatted(RunFolder.display(request.output()), e.getMessage()),
          e);
    }
  }
}
