package dev.anneal.spark.evaluate;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.error.LateRefusalException;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.manifest.Split;
import dev.anneal.data.task.TaskResults;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.SpecialTokens;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.Redaction;
import dev.anneal.spark.Request;
import dev.anneal.spark.cluster.BarrierStage;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.evaluate.EvaluationCheck.Checked;
import dev.anneal.spark.evaluate.EvaluationResult.Answered;
import dev.anneal.spark.job.Interruption;
import dev.anneal.spark.job.RootCause;
import dev.anneal.spark.progress.DriverChannel;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.session.RunSession;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.train.EvaluationTask;
import dev.anneal.spark.train.Specs;
import dev.anneal.storage.Storage;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.GenerationSpec;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.generate.Sampling;
import dev.anneal.training.generate.StopTokens;
import java.io.IOException;
import java.io.PrintWriter;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;

/** One evaluation from its checks to its result, in a Spark session. */
public final class EvaluationJob {
  private static final int MOST_SOURCES = 20;

  private final EvaluationRequest request;
  private final AnnealConfig config;
  private final String runId;
  private final RunSession session;
  private final Storage storage;
  private final ProgressDisplay display;

  private EvaluationJob(
      EvaluationRequest request, String runId, RunSession session, ProgressDisplay display) {
    this.request = request;
    this.config = request.config();
    this.runId = runId;
    this.session = session;
    this.storage = new Storage(session.hadoop());
    this.display = display;
  }

  /**
   * Carries out a request.
   *
   * @param out told how it goes on, and what came of it
   * @param medium where progress is shown
   * @throws BadRequestException if it cannot be carried out as it is, before executors have worked
   *     on it
   * @throws JobFailedException if it fails on the way
   */
  public static EvaluationResult execute(
      EvaluationRequest request,
      RunSession session,
      PrintWriter out,
      ProgressDisplay.Medium medium) {
    Redaction redaction = Redaction.of(session.conf(), session.hadoop());
    ProgressDisplay display = new ProgressDisplay(out, medium, System::nanoTime, redaction::mask);
    String runId = Long.toHexString(new SecureRandom().nextLong());
    String work =
        request.output() == null ? null : request.output() + "/" + EvaluationFiles.work(runId);
    try {
      Checked checked = EvaluationCheck.check(request, work, session.conf(), session.hadoop());
      return new EvaluationJob(request, runId, session, display).run(checked, work);
    } catch (LateRefusalException e) {
      throw new JobFailedException(e.getMessage(), e);
    } catch (InvalidDataException | InvalidModelException e) {
      throw new BadRequestException(e.getMessage(), e);
    }
  }

  private EvaluationResult run(Checked checked, String work) {
    try {
      display.line("Starting Spark on " + Slots.master(session.conf()) + " ...");
      SparkSession spark = session.open();
      Interruption interruption =
          new Interruption(
              () -> {
                // tasks that go on would write it anew
                session.cancel();
                clear(checked, work);
              });
      try (interruption) {
        Checked ready = checked.rows() == null ? prepared(spark, checked) : checked;
        try {
          return measured(spark, ready);
        } catch (InvalidDataException | InvalidModelException e) {
          // a request is refused before it costs anything; what is found out now is a failure
          throw new JobFailedException(e.getMessage(), e);
        }
      } catch (RuntimeException e) {
        if (interruption.isUnderWay()) {
          throw new JobFailedException(JobFailedException.INTERRUPTED, e);
        }
        throw e;
      } finally {
        clear(checked, work);
      }
    } catch (IOException e) {
      throw new JobFailedException(
          "The evaluation cannot be written or what it reads is gone (%s): look at the disk or the store, and begin again."
              .formatted(e.getMessage()),
          e);
    }
  }

  /** What was prepared served this evaluation. */
  private void clear(Checked checked, String work) {
    if (checked.preparation() == null) {
      return;
    }
    try {
      checked.output().delete(EvaluationFiles.work(runId));
    } catch (IOException e) {
      display.line("Note: %s could not be removed.".formatted(RunFolder.display(work)));
    }
  }

  private Checked prepared(SparkSession spark, Checked checked) {
    String source = config.data().rows().source();
    display.phase("Preparing " + RunFolder.display(source));
    try {
      DatasetManifest manifest = checked.preparation().run(spark);
      String folder = checked.preparation().spec().datasetUri();
      return checked.with(new EvaluatedRows(folder, manifest, Split.TRAIN));
    } catch (InvalidDataException e) {
      throw e;
    } catch (Exception e) {
      // Spark's are checked exceptions that no signature tells of
      throw failed("Preparing the data failed: ", spark.sparkContext(), e);
    }
  }

  private EvaluationResult measured(SparkSession spark, Checked checked) throws IOException {
    EvaluatedRows rows = checked.rows();
    EvaluationInputs inputs = EvaluationInputs.of(request, checked.shape(), rows, storage);
    List<EvaluatedRow> asked =
        request.generate() == 0 ? List.of() : EvaluatedRow.first(rows, request.generate(), storage);
    tell(inputs);
    try (ChatTokenizer tokenizer =
        request.generate() == 0 ? null : ChatTokenizer.load(checked.tokenizer(), storage)) {
      List<Prompt> prompts = new ArrayList<>();
      asked.forEach(row -> prompts.add(new Prompt(prompts.size(), row.prompt())));
      GenerationSpec generation =
          new GenerationSpec(request.maxTokens(), Sampling.GREEDY, stopTokens(checked, tokenizer));
      EvaluationTask task =
          new EvaluationTask(
              config,
              Specs.generation(config, request.batchSize(), generation),
              new EvaluationTask.Rows(rows.folder(), rows.manifest().part(rows.split()).files()),
              prompts,
              runId,
              storage);
      List<EvaluationTask.Measured> ranks = onRanks(spark.sparkContext(), task, rows.sequences());
      EvaluationResult result =
          Tally.of(
              ranks,
              request.hasAdapter(),
              checked.output() == null ? null : checked.output().display(),
              answers(asked, ranks, tokenizer));
      if (result.all().rows() == 0) {
        throw new JobFailedException(
            "No row of %s holds a learned token, so there is no loss.".formatted(inputs.dataName()),
            null);
      }
      write(result, inputs, checked.output());
      report(result, checked.output());
      session.succeeded();
      return result;
    }
  }

  private void tell(EvaluationInputs inputs) {
    if (request.dataset() == null) {
      inputs
          .leftOut()
          .forEach(
              (reason, count) -> display.line("%s rows left out: %s".formatted(count, reason)));
      DatasetManifest manifest = inputs.rows().manifest();
      if (manifest.rows().truncated() > 0) {
        display.line(
            "%s rows cut at %s tokens"
                .formatted(manifest.rows().truncated(), manifest.spec().maxLength()));
      }
      manifest.notes().forEach(display::line);
    }
    display.line(
        "Evaluating %s%s on %s"
            .formatted(
                inputs.modelName(),
                request.hasAdapter() ? " with the adapter " + inputs.adapterName() : "",
                inputs.dataName()));
  }

  private Set<Integer> stopTokens(Checked checked, ChatTokenizer tokenizer) throws IOException {
    if (tokenizer == null) {
      return Set.of();
    }
    ModelLocation model = ModelLocation.of(config.model().path());
    Set<Integer> ids =
        new HashSet<>(
            StopTokens.of(model.open(storage, config.training().seed()), checked.shape()));
    tokenizer.eosId().ifPresent(ids::add);
    return ids;
  }

  private List<EvaluationTask.Measured> onRanks(
      SparkContext spark, EvaluationTask task, long sequences) {
    try (DriverChannel channel = DriverChannel.open(spark, runId)) {
      channel.receiveWith(new EvaluationProgress(display, sequences));
      List<List<EvaluationTask.Measured>> ofTasks =
          TaskResults.collect(
              BarrierStage.of(
                  JavaSparkContext.fromSparkContext(spark),
                  config.cluster().nodes(),
                  config.cluster().gpusPerNode(),
                  task));
      return ofTasks.stream().flatMap(List::stream).toList();
    } catch (Exception e) {
      // Spark's are checked exceptions that no signature tells of
      throw failed("The evaluation failed: ", spark, e);
    }
  }

  private static JobFailedException failed(String what, SparkContext spark, Exception e) {
    return new JobFailedException(what + RootCause.sentence(spark, e), e);
  }

  private List<Answered> answers(
      List<EvaluatedRow> asked, List<EvaluationTask.Measured> ranks, ChatTokenizer tokenizer) {
    Map<Long, Completion> base = byPrompt(ranks, EvaluationTask.Measured::base);
    Map<Long, Completion> adapted = byPrompt(ranks, EvaluationTask.Measured::adapted);
    List<Answered> answers = new ArrayList<>();
    for (int i = 0; i < asked.size(); i++) {
      EvaluatedRow row = asked.get(i);
      answers.add(
          new Answered(
              row.number(),
              row.source(),
              text(row.prompt(), tokenizer),
              text(row.reference(), tokenizer),
              text(base.get((long) i).tokens(), tokenizer),
              request.hasAdapter() ? text(adapted.get((long) i).tokens(), tokenizer) : null));
    }
    return answers;
  }

  private static Map<Long, Completion> byPrompt(
      List<EvaluationTask.Measured> ranks,
      Function<EvaluationTask.Measured, List<Completion>> which) {
    Map<Long, Completion> completions = new HashMap<>();
    ranks.stream()
        .map(which)
        .flatMap(List::stream)
        .forEach(completion -> completions.put(completion.prompt().index(), completion));
    return completions;
  }

  private static String text(int[] ids, ChatTokenizer tokenizer) {
    return tokenizer.decode(ids, SpecialTokens.SKIP).strip();
  }

  /** The record comes last, and then the evaluation is there. */
  private void write(EvaluationResult result, EvaluationInputs inputs, RunFolder output)
      throws IOException {
    if (output == null) {
      return;
    }
    byte[] json = EvaluationFiles.json(result, inputs);
    if (request.existing() == Request.Existing.KEEP && EvaluationFiles.isIn(output)) {
      throw new JobFailedException(
          "Another evaluation has been written to %s meanwhile: choose another folder."
              .formatted(output.display()),
          null);
    }
    output.write(EvaluationFiles.PAGE, EvaluationPage.of(result, inputs));
    output.write(EvaluationFiles.JSON, json);
  }

  private void report(EvaluationResult result, RunFolder output) {
    display.line("");
    EvaluationTable.of(result, MOST_SOURCES).text().forEach(display::line);
    if (result.rowsWithoutTargets() > 0) {
      display.line(
          "%s rows hold no learned token and have no loss.".formatted(result.rowsWithoutTargets()));
    }
    if (request.generate() > result.answers().size()) {
      display.line("Only %s rows have a prompt to answer.".formatted(result.answers().size()));
    }
    if (output != null) {
      display.line("");
      display.line("Record    " + RunFolder.display(output.child(EvaluationFiles.JSON)));
      display.line("To read   " + RunFolder.display(output.child(EvaluationFiles.PAGE)));
    }
  }
}
