package dev.anneal.spark.job;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.Redaction;
import dev.anneal.spark.Request;
import dev.anneal.spark.checkpoint.CheckpointAudit;
import dev.anneal.spark.checkpoint.RunIdentity;
import dev.anneal.spark.checkpoint.StoredCheckpoint;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.fetch.HubModel;
import dev.anneal.spark.notify.Webhooks;
import dev.anneal.spark.output.Answer;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.spark.output.Outcome;
import dev.anneal.spark.output.RunRecord;
import dev.anneal.spark.output.SamplesFile;
import dev.anneal.spark.output.Summary;
import dev.anneal.spark.output.WhereTimeGoes;
import dev.anneal.spark.preflight.DatasetCheck;
import dev.anneal.spark.preflight.MergedModel;
import dev.anneal.spark.preflight.Plan;
import dev.anneal.spark.preflight.Preflight;
import dev.anneal.spark.progress.BackgroundWriter;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.report.LiveReport;
import dev.anneal.spark.report.RunView;
import dev.anneal.spark.session.RunSession;
import dev.anneal.spark.sparkui.ShownRun;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.StoreRefusal;
import dev.anneal.spark.storage.TokenizerCopy;
import dev.anneal.spark.tracking.RunEnd;
import dev.anneal.spark.tracking.TrackedRun;
import dev.anneal.spark.tracking.Tracking;
import dev.anneal.spark.train.Batches;
import dev.anneal.spark.train.PreparedData;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.trainer.TrainingSpec;
import java.io.IOException;
import java.io.PrintWriter;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.function.Supplier;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;

/** One request from its checks to its result, in a Spark session. */
public final class Run {
  private final Request request;
  private final Plan plan;
  private final String runId;
  private final LeasedFolder held;
  private final RunSession session;
  private final Redaction redaction;
  private final BackgroundWriter background;
  private final PrintWriter out;
  private final ProgressDisplay display;
  private final Instant start = Instant.now();
  private final DataStage data;
  private final LiveSamples samples;
  private volatile DatasetManifest dataset;
  private volatile TrainingStage training;
  private final Audience audience;

  /**
   * What came of it, beside what lies in the output folder.
   *
   * @param dataset that was prepared or trained on
   * @param answers to held-out prompts before and after training
   */
  public record Result(DatasetManifest dataset, List<Answer> answers) {}

  private Run(
      Request request,
      Plan plan,
      String runId,
      LeasedFolder held,
      RunSession session,
      BackgroundWriter background) {
    this.request = request;
    this.plan = plan;
    this.runId = runId;
    this.held = held;
    this.session = session;
    this.background = background;
    this.out = new PrintWriter(background);
    this.redaction =
        Redaction.of(session.conf(), session.hadoop())
            .and(Webhooks.secrets(request.config().webhooks()));
    this.display = new ProgressDisplay(out, request.medium(), System::nanoTime, redaction::mask);
    this.data = new DataStage(request, plan, display, redaction::mask);
    this.samples = new LiveSamples(data::tokenizer);
    this.audience = new Audience(request, plan.folder(), start, display::line, redaction::mask);
  }

  /**
   * Carries out a request.
   *
   * @param out told how it goes on, and what came of it
   * @throws BadRequestException if it cannot be carried out as it is, before executors have worked
   *     on it
   * @throws JobFailedException if it fails on the way, by what they find in the data, too
   */
  public static Result execute(Request request, RunSession session, PrintWriter out) {
    try (BackgroundWriter background = new BackgroundWriter(out)) {
      if (request.command().trains()) {
        Tracking.check(request.config());
      }
      Preflight.checkBeforeModel(request, session.conf(), session.hadoop());
      Request located = HubModel.located(request, session, new PrintWriter(background));
      Plan checked = Preflight.check(located, session.conf(), session.hadoop());
      String runId = Long.toHexString(new SecureRandom().nextLong());
      try (LeasedFolder held = new LeasedFolder(checked.folder(), runId)) {
        // another run may have come to its end in the meantime
        Plan plan = Preflight.again(located, checked.in(held.folder()));
        return new Run(located, plan, runId, held, session, background).run();
      }
    } catch (InvalidDataException | InvalidModelException e) {
      throw new BadRequestException(e.getMessage(), e);
    }
  }

  private Result run() {
    display.line("Starting Spark on " + Slots.master(session.conf()) + " ...");
    if (!Slots.isOneMachine(session.conf()) && plan.folder().isLocal()) {
      display.line(
          "Note: output.path %s is a local path: it must be the same shared folder on every node."
              .formatted(plan.folder().display()));
    }
    plan.notes().forEach(note -> display.line("Note: " + note));
    try (session) {
      SparkSession spark = session.open();
      held.whenLost(this::leave);
      RunRecord record = record(spark);
      audience.runsAs(spark.sparkContext().applicationId());
      try (StartWatch watch = new StartWatch(session, spark.sparkContext());
          ShownRun shown =
              ShownRun.begin(
                  spark.sparkContext(), runId, () -> withoutSamples(record), redaction::mask);
          LiveReport report =
              LiveReport.begin(plan.folder(), () -> view(record), shown::now, redaction::mask)) {
        Result result = recorded(record, report, () -> stages(spark, record));
        session.succeeded();
        return result;
      }
    } catch (IOException e) {
      throw new JobFailedException(
          held.loss()
              .orElseGet(
                  () ->
                      "The output folder %s cannot be written (%s)."
                          .formatted(plan.folder().display(), e.getMessage())),
          e);
    }
  }

  private RunView view(RunRecord record) {
    TrainingStage stage = training;
    if (stage != null && !stage.outcome().samples().isEmpty()) {
      samples.tell(stage.outcome(), record);
    }
    return withoutSamples(record);
  }

  private RunView withoutSamples(RunRecord record) {
    TrainingStage stage = training;
    return new RunView(
        plan.folder().child(""),
        record.snapshot(),
        stage == null ? new MetricsLog() : stage.metrics(),
        dataset,
        Instant.now());
  }

  private RunRecord record(SparkSession spark) throws IOException {
    byte[] earlier = null;
    if (plan.earlier().isPresent()) {
      earlier = plan.folder().read(RunFolder.RECORD);
      plan.folder().delete(RunFolder.ATTEMPTS);
    } else {
      clearFolder();
    }
    return RunRecord.begin(
        plan.folder(),
        request,
        spark.sparkContext(),
        redaction::mask,
        Optional.ofNullable(earlier));
  }

  /** The folder is another run's now. */
  private void leave() {
    TrainingStage stage = training;
    if (stage == null) {
      // the preparation writes on executors, in one job after the other
      session.cancel();
      return;
    }
    stage.leave();
    session.cancel();
  }

  private interface Work {
    Result run() throws IOException;
  }

  /** Sees to it that the record says how the work ended, also when the process is told to end. */
  private Result recorded(RunRecord record, LiveReport report, Work work) throws IOException {
    Interruption interruption =
        new Interruption(new Leaving(new LastWork(record, report), System::nanoTime));
    try (interruption) {
      Result result = work.run();
      record.succeeded();
      report.ended();
      audience.ended(RunEnd.State.SUCCEEDED, null);
      return result;
    } catch (Throwable e) {
      if (interruption.isUnderWay()) {
        throw new JobFailedException(JobFailedException.INTERRUPTED, e);
      }
      if (held.loss().isPresent()) {
        audience.abandoned();
        audience.ended(RunEnd.State.FAILED, held.loss().get());
        throw new JobFailedException(held.loss().get(), e);
      }
      record.failedQuietly(sentence(e));
      report.ended();
      audience.ended(RunEnd.State.FAILED, sentence(e));
      throw e;
    }
  }

  private static String sentence(Throwable e) {
    return StoreRefusal.sentence(e)
        .orElseGet(() -> e instanceof Error ? e.toString() : e.getMessage());
  }

  private Result stages(SparkSession spark, RunRecord record) throws IOException {
    if (request.command().prepares() && plan.earlier().isEmpty()) {
      record.phase("preparing data");
    }
    PreparedData prepared = data.prepared(spark);
    dataset = prepared.train();
    record.dataset(prepared);
    Summary summary = new Summary(out, plan.config(), plan.folder(), plan.model().adapters());
    if (prepared.eval() != null) {
      display.line("To evaluate on: " + Summary.dataset(prepared.eval()));
      prepared.eval().notes().forEach(display::line);
    }
    if (!request.command().trains()) {
      summary.prepared(dataset, data.shownRows());
      return new Result(dataset, List.of());
    }
    display.line(Summary.dataset(dataset));
    dataset.notes().forEach(display::line);
    // a request is refused before it costs anything; what is found out now is a failure
    try {
      DatasetCheck.check(plan.config(), plan.model().vocabSize(), prepared);
    } catch (BadRequestException e) {
      throw new JobFailedException(e.getMessage(), e);
    }
    try {
      return trained(spark, record, prepared, summary);
    } catch (InvalidDataException | InvalidModelException e) {
      throw new JobFailedException(e.getMessage(), e);
    }
  }

  private Result trained(
      SparkSession spark, RunRecord record, PreparedData prepared, Summary summary)
      throws IOException {
    Outcome outcome = train(spark, record, prepared);
    if (plan.config().training().mode() == TrainingSpec.Mode.FULL
        && plan.model().tokenizer() != null) {
      TokenizerCopy.copy(
          plan.model().tokenizer(), plan.config().data().rows().template(), plan.folder());
    }
    Optional<String> merged = merge(spark, record);
    List<Answer> answers = samples.tell(outcome, record);
    if (outcome.end().isPresent()) {
      SamplesFile.write(plan.folder(), answers);
    }
    summary.trained(
        outcome,
        WhereTimeGoes.of(training.metrics()),
        answers,
        merged,
        Duration.between(start, Instant.now()));
    return new Result(prepared.train(), answers);
  }

  /** Publishes model and adapter as one, where that is wanted; its location. */
  private Optional<String> merge(SparkSession spark, RunRecord record) throws IOException {
    if (plan.model().merged() instanceof MergedModel.Unwanted) {
      return Optional.empty();
    }
    held.requireHeld();
    Optional<String> merged =
        MergedResult.publish(plan, held::requireHeld, spark.sparkContext(), display);
    merged.ifPresent(record::merged);
    return merged;
  }

  private Outcome train(SparkSession spark, RunRecord record, PreparedData prepared)
      throws IOException {
    record.model(plan.model().fingerprint());
    long steps = Batches.steps(plan.config(), prepared.train().train().sequences());
    record.training(steps, plan.model().adapters());
    SortedMap<String, String> identity =
        RunIdentity.of(plan.config(), plan.model().fingerprint(), prepared);
    JobDescriptions.checkpoints(spark.sparkContext());
    List<StoredCheckpoint> found =
        plan.earlier()
            .map(
                earlier ->
                    CheckpointAudit.intact(
                        JavaSparkContext.fromSparkContext(spark.sparkContext()),
                        earlier.checkpoints(),
                        display::line))
            .orElse(List.of());
    TrackedRun tracked =
        new TrackedRun(
            request,
            plan.folder(),
            plan.model().fingerprint(),
            steps,
            prepared,
            spark.version(),
            spark.sparkContext().applicationId(),
            redaction::mask);
    training =
        new TrainingStage(
            spark.sparkContext(),
            plan,
            runId,
            steps,
            display,
            record,
            held,
            audience.track(tracked));
    held.requireHeld();
    return training.run(identity, found);
  }

  /** The process is told to end. */
  private final class LastWork implements Leaving.Work {
    private final RunRecord record;
    private final LiveReport report;

    LastWork(RunRecord record, LiveReport report) {
      this.record = record;
      this.report = report;
    }

    @Override
    public String leave(Duration most) {
      TrainingStage stage = training;
      if (stage == null) {
        return JobFailedException.INTERRUPTED;
      }
      try {
        stage.leaveInGoodOrder(most);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      return JobFailedException.INTERRUPTED + " " + stage.standing();
    }

    @Override
    public void say(String sentence, Duration most) {
      if (training != null) {
        display.line(sentence);
        background.close(most.toMillis());
      }
    }

    @Override
    public void record(String sentence) {
      record.failedQuietly(sentence);
    }

    @Override
    public void page(String sentence, Duration most) {
      // what they write in the folder they write while it is this run's
      audience.ending(sentence);
      report.ended(most.toMillis());
    }

    @Override
    public void letGoOfFolder() {
      held.close();
    }

    @Override
    public void tell(String sentence, Supplier<Duration> most) {
      audience.interrupted(sentence, most);
    }

    @Override
    public void closeSession() {
      session.close();
    }
  }

  /** Removes what an earlier run has left there; the preflight found nothing else in its place. */
  private void clearFolder() throws IOException {
    RunFolder folder = plan.folder();
    // the record that is removed first tells of them
    List<String> folders = Preflight.replacedFolders(request, folder);
    for (String file : RunFolder.filesMade()) {
      folder.delete(file);
    }
    for (String made : folders) {
      folder.delete(made);
    }
  }
}
