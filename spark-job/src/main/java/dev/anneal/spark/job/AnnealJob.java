package dev.anneal.spark.job;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.anneal.data.DatasetManifest;
import dev.anneal.data.InvalidDataException;
import dev.anneal.data.PrepJob;
import dev.anneal.data.RowSamples;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.Request;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.cluster.SparkSettings;
import dev.anneal.spark.output.Outcome;
import dev.anneal.spark.output.RunRecord;
import dev.anneal.spark.output.Summary;
import dev.anneal.spark.preflight.DatasetCheck;
import dev.anneal.spark.preflight.Plan;
import dev.anneal.spark.preflight.Preflight;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.storage.ObjectStoreDefaults;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.TokenizerCopy;
import dev.anneal.spark.train.Batches;
import dev.anneal.training.trainer.TrainingSpec;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.apache.hadoop.util.ShutdownHookManager;
import org.apache.spark.SparkConf;
import org.apache.spark.deploy.SparkHadoopUtil;
import org.apache.spark.sql.SparkSession;

/** One request from its checks to its result: one Spark application. */
public final class AnnealJob {
  // before Spark (50) and the file systems (10) shut down
  private static final int SHUTDOWN_PRIORITY = 60;

  private final Request request;
  private final Plan plan;
  private final PrintWriter out;
  private final ProgressDisplay display;
  private final Instant start = Instant.now();

  private AnnealJob(Request request, Plan plan, PrintWriter out) {
    this.request = request;
    this.plan = plan;
    this.out = out;
    ProgressDisplay.Medium medium =
        Boolean.getBoolean("anneal.terminal")
            ? ProgressDisplay.Medium.TERMINAL
            : ProgressDisplay.Medium.FILE;
    this.display = new ProgressDisplay(out, medium, System::nanoTime);
  }

  /**
   * Carries out a request.
   *
   * @throws dev.anneal.spark.BadRequestException before anything starts, if it cannot be carried
   *     out as it is
   * @throws JobFailedException if it fails on the way
   */
  public static void run(Request request, PrintWriter out) {
    SparkConf conf = ObjectStoreDefaults.addTo(new SparkConf());
    Plan plan = Preflight.check(request, conf, SparkHadoopUtil.get().newConfiguration(conf));
    new AnnealJob(request, plan, out).run(SparkSettings.of(conf, request));
  }

  private void run(SparkConf conf) {
    display.line("Starting Spark on " + conf.get("spark.master") + " ...");
    if (!Slots.isOneMachine(conf) && plan.folder().isLocal()) {
      display.line(
          "Note: output.path %s is a local path: it must be the same shared folder on every node."
              .formatted(plan.folder().display()));
    }
    SparkSession spark = SparkSession.builder().config(conf).getOrCreate();
    try {
      clearFolder();
      RunRecord record = RunRecord.begin(plan.folder(), request, spark.sparkContext());
      recorded(record, spark, () -> stages(spark, record));
    } catch (IOException e) {
      throw new JobFailedException(
          "The output folder %s cannot be written (%s)."
              .formatted(plan.folder().display(), e.getMessage()),
          e);
    } finally {
      stop(spark);
    }
  }

  private void stop(SparkSession spark) {
    if (request.detail() == Request.Detail.SENTENCE) {
      // threads of a Spark that stops print the stack traces of what they can no longer do
      System.setErr(new PrintStream(OutputStream.nullOutputStream(), false, UTF_8));
    }
    spark.stop();
  }

  private interface Work {
    void run() throws IOException;
  }

  /** Sees to it that the record says how the work ended, also when the process is told to end. */
  private void recorded(RunRecord record, SparkSession spark, Work work) throws IOException {
    ShutdownHookManager hooks = ShutdownHookManager.get();
    Thread interrupted =
        new Thread(
            () -> {
              record.failedQuietly(JobFailedException.INTERRUPTED);
              // in order, where Spark's own hooks would run all at once
              stop(spark);
            });
    hooks.addShutdownHook(interrupted, SHUTDOWN_PRIORITY);
    try {
      work.run();
      record.succeeded();
    } catch (Throwable e) {
      if (hooks.isShutdownInProgress()) {
        throw new JobFailedException(JobFailedException.INTERRUPTED, e);
      }
      record.failedQuietly(e instanceof Error ? e.toString() : e.getMessage());
      throw e;
    } finally {
      if (!hooks.isShutdownInProgress()) {
        hooks.removeShutdownHook(interrupted);
      }
    }
  }

  private void stages(SparkSession spark, RunRecord record) throws IOException {
    DatasetManifest dataset = request.command().prepares() ? prepare(spark) : existingDataset();
    record.dataset(dataset);
    Summary summary = new Summary(out, plan.config(), plan.folder());
    if (!request.command().trains()) {
      summary.prepared(dataset, samples());
      return;
    }
    display.line(Summary.dataset(dataset));
    DatasetCheck.check(plan.config(), plan.vocabSize(), dataset);
    TrainingStage training = new TrainingStage(spark.sparkContext(), plan, display, record);
    Outcome outcome = training.run(Batches.steps(plan.config(), dataset.train().sequences()));
    if (plan.config().training().mode() == TrainingSpec.Mode.FULL && plan.tokenizer() != null) {
      TokenizerCopy.copy(plan.tokenizer(), plan.config().data().template(), plan.folder());
    }
    try (ChatTokenizer tokenizer = tokenizer()) {
      summary.trained(outcome, tokenizer, Duration.between(start, Instant.now()));
    }
  }

  private DatasetManifest prepare(SparkSession spark) {
    display.line("Preparing " + RunFolder.display(plan.prep().source()) + " ...");
    try {
      return PrepJob.run(spark, plan.prep());
    } catch (InvalidDataException e) {
      throw e;
    } catch (Exception e) {
      // Spark's are checked exceptions that no signature tells of
      throw new JobFailedException("Preparing the data failed: " + RootCause.sentence(e), e);
    }
  }

  private DatasetManifest existingDataset() {
    return DatasetManifest.read(plan.folder().child(RunFolder.DATASET), plan.folder().storage());
  }

  /** Prepared rows to look at; none where rows came tokenized without a tokenizer. */
  private List<String> samples() {
    if (request.shownRows() == 0 || plan.tokenizer() == null) {
      return List.of();
    }
    String dataset = plan.folder().child(RunFolder.DATASET);
    try (ChatTokenizer tokenizer = tokenizer()) {
      return RowSamples.marked(dataset, request.shownRows(), tokenizer, plan.folder().storage());
    }
  }

  private ChatTokenizer tokenizer() {
    return plan.tokenizer() == null
        ? null
        : ChatTokenizer.load(plan.tokenizer(), plan.folder().storage());
  }

  /** Removes what an earlier run has left there; the preflight found nothing else in its place. */
  private void clearFolder() throws IOException {
    RunFolder folder = plan.folder();
    for (String file : RunFolder.filesMade()) {
      folder.delete(file);
    }
    for (String made : RunFolder.foldersMadeBy(request.command())) {
      folder.delete(made);
    }
  }
}
