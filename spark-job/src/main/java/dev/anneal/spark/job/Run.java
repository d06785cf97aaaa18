package dev.anneal.spark.job;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.Redaction;
import dev.anneal.spark.Request;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.fetch.HubModel;
import dev.anneal.spark.notify.Webhooks;
import dev.anneal.spark.output.Answer;
import dev.anneal.spark.output.RunRecord;
import dev.anneal.spark.output.Summary;
import dev.anneal.spark.preflight.CheckedRequest;
import dev.anneal.spark.preflight.Preflight;
import dev.anneal.spark.progress.BackgroundWriter;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.report.LiveReport;
import dev.anneal.spark.session.RunSession;
import dev.anneal.spark.sparkui.ShownRun;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.StoreRefusal;
import dev.anneal.spark.tracking.RunEnd;
import dev.anneal.spark.tracking.Tracking;
import dev.anneal.training.InvalidModelException;
import java.io.IOException;
import java.io.PrintWriter;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.apache.spark.sql.SparkSession;

/** One request from its checks to its result, in a Spark session. */
public final class Run {
  private final Request request;
  private final CheckedRequest checked;
  private final String runId;
  private final LeasedFolder held;
  private final RunSession session;
  private final Redaction redaction;
  private final BackgroundWriter background;
  private final ProgressDisplay display;
  private final Audience audience;
  private final RunStages stages;

  /**
   * What came of it, beside what lies in the output folder.
   *
   * @param dataset that was prepared or trained on
   * @param answers to held-out prompts before and after training
   */
  public record Result(DatasetManifest dataset, List<Answer> answers) {}

  private Run(
      Request request,
      CheckedRequest checked,
      String runId,
      LeasedFolder held,
      RunSession session,
      BackgroundWriter background) {
    this.request = request;
    this.checked = checked;
    this.runId = runId;
    this.held = held;
    this.session = session;
    this.background = background;
    this.redaction =
        Redaction.of(session.conf(), session.hadoop())
            .and(Webhooks.secrets(request.config().webhooks()));
    PrintWriter out = new PrintWriter(background);
    this.display = new ProgressDisplay(out, request.medium(), System::nanoTime, redaction::mask);
    this.audience =
        new Audience(request, checked.folder(), Instant.now(), display::line, redaction::mask);
    this.stages =
        new RunStages(
            request,
            checked,
            runId,
            held,
            display,
            new Summary(out, checked.config(), checked.folder(), checked.model().adapters()),
            audience,
            redaction::mask);
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
      CheckedRequest before = Preflight.check(located, session.conf(), session.hadoop());
      String runId = Long.toHexString(new SecureRandom().nextLong());
      try (LeasedFolder held = new LeasedFolder(before.folder(), runId)) {
        // another run may have come to its end in the meantime
        CheckedRequest checked = Preflight.again(located, before.in(held.folder()));
        return new Run(located, checked, runId, held, session, background).run();
      }
    } catch (InvalidDataException | InvalidModelException e) {
      throw new BadRequestException(e.getMessage(), e);
    }
  }

  private Result run() {
    display.line("Starting Spark on " + Slots.master(session.conf()) + " ...");
    if (!Slots.isOneMachine(session.conf()) && checked.folder().isLocal()) {
      display.line(
          "Note: output.path %s is a local path: it must be the same shared folder on every node."
              .formatted(checked.folder().display()));
    }
    checked.notes().forEach(note -> display.line("Note: " + note));
    try (session) {
      SparkSession spark = session.open();
      held.whenLost(this::leave);
      RunRecord record = record(spark);
      audience.runsAs(spark.sparkContext().applicationId());
      try (StartWatch watch = new StartWatch(session, spark.sparkContext());
          ShownRun shown =
              ShownRun.begin(
                  spark.sparkContext(),
                  runId,
                  () -> stages.withoutSamples(record),
                  redaction::mask);
          LiveReport report =
              LiveReport.begin(
                  checked.folder(), () -> stages.view(record), shown::now, redaction::mask)) {
        Result result = recorded(spark, record, report);
        session.succeeded();
        return result;
      }
    } catch (IOException e) {
      throw new JobFailedException(
          held.loss()
              .orElseGet(
                  () ->
                      "The output folder %s cannot be written (%s)."
                          .formatted(checked.folder().display(), e.getMessage())),
          e);
    }
  }

  private RunRecord record(SparkSession spark) throws IOException {
    byte[] earlier = null;
    if (checked.earlier().isPresent()) {
      earlier = checked.folder().read(RunFolder.RECORD);
      checked.folder().delete(RunFolder.ATTEMPTS);
    } else {
      clearFolder();
    }
    return RunRecord.begin(
        checked.folder(),
        request,
        spark.sparkContext(),
        redaction::mask,
        Optional.ofNullable(earlier));
  }

  /** The folder is another run's now. */
  private void leave() {
    stages.leave();
    // the preparation writes on executors, in one job after the other
    session.cancel();
  }

  /** Sees to it that the record says how the work ended, also when the process is told to end. */
  private Result recorded(SparkSession spark, RunRecord record, LiveReport report)
      throws IOException {
    Interruption interruption =
        new Interruption(new Leaving(new LastWork(record, report), System::nanoTime));
    try (interruption) {
      Result result = stages.run(spark, record);
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
      return stages.leaveInGoodOrder(most);
    }

    @Override
    public void say(String sentence, Duration most) {
      if (stages.isTraining()) {
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
    RunFolder folder = checked.folder();
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
