package dev.anneal.spark.job;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.Request;
import dev.anneal.spark.checkpoint.CheckpointAudit;
import dev.anneal.spark.checkpoint.RunIdentity;
import dev.anneal.spark.checkpoint.StoredCheckpoint;
import dev.anneal.spark.output.Answer;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.spark.output.Outcome;
import dev.anneal.spark.output.RunRecord;
import dev.anneal.spark.output.SamplesFile;
import dev.anneal.spark.output.Summary;
import dev.anneal.spark.output.WhereTimeGoes;
import dev.anneal.spark.preflight.CheckedRequest;
import dev.anneal.spark.preflight.DatasetCheck;
import dev.anneal.spark.preflight.MergedModel;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.report.RunView;
import dev.anneal.spark.storage.TokenizerCopy;
import dev.anneal.spark.tracking.TrackedRun;
import dev.anneal.spark.train.Batches;
import dev.anneal.spark.train.PreparedData;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.trainer.TrainingSpec;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.function.UnaryOperator;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;

/**
 * The stages of a run, one after the other: its data, its training, and model and adapter as one;
 * and how far they are, for those who ask meanwhile.
 */
final class RunStages {
  private final Request request;
  private final CheckedRequest checked;
  private final String runId;
  private final LeasedFolder held;
  private final ProgressDisplay display;
  private final Summary summary;
  private final Audience audience;
  private final UnaryOperator<String> mask;
  private final Instant start;
  private final DataStage data;
  private final LiveSamples samples;
  private volatile DatasetManifest dataset;
  private volatile TrainingStage training;

  /**
   * @param summary told at the end what came of it
   * @param mask hides what is secret
   */
  RunStages(
      Request request,
      CheckedRequest checked,
      String runId,
      LeasedFolder held,
      ProgressDisplay display,
      Summary summary,
      Audience audience,
      UnaryOperator<String> mask) {
    this.request = request;
    this.checked = checked;
    this.runId = runId;
    this.held = held;
    this.display = display;
    this.summary = summary;
    this.audience = audience;
    this.mask = mask;
    this.start = Instant.now();
    this.data = new DataStage(request, checked, display, mask);
    this.samples = new LiveSamples(data::tokenizer);
  }

  /** Goes through those that are asked for. */
  Run.Result run(SparkSession spark, RunRecord record) throws IOException {
    if (request.command().prepares() && checked.earlier().isEmpty()) {
      record.phase("preparing data");
    }
    PreparedData prepared = data.prepared(spark);
    dataset = prepared.train();
    record.dataset(prepared);
    if (prepared.eval() != null) {
      display.line("To evaluate on: " + Summary.dataset(prepared.eval()));
      prepared.eval().notes().forEach(display::line);
    }
    if (!request.command().trains()) {
      summary.prepared(dataset, data.shownRows());
      return new Run.Result(dataset, List.of());
    }
    display.line(Summary.dataset(dataset));
    dataset.notes().forEach(display::line);
    // a request is refused before it costs anything; what is found out now is a failure
    try {
      DatasetCheck.check(checked.config(), checked.model().vocabSize(), prepared);
    } catch (BadRequestException e) {
      throw new JobFailedException(e.getMessage(), e);
    }
    try {
      return trained(spark, record, prepared);
    } catch (InvalidDataException | InvalidModelException e) {
      throw new JobFailedException(e.getMessage(), e);
    }
  }

  private Run.Result trained(SparkSession spark, RunRecord record, PreparedData prepared)
      throws IOException {
    Outcome outcome = train(spark, record, prepared);
    if (checked.config().training().mode() == TrainingSpec.Mode.FULL
        && checked.model().tokenizer() != null) {
      TokenizerCopy.copy(
          checked.model().tokenizer(), checked.config().data().rows().template(), checked.folder());
    }
    Optional<String> merged = merge(spark, record);
    List<Answer> answers = samples.tell(outcome, record);
    if (outcome.end().isPresent()) {
      SamplesFile.write(checked.folder(), answers);
    }
    summary.trained(
        outcome,
        WhereTimeGoes.of(training.metrics()),
        answers,
        merged,
        Duration.between(start, Instant.now()));
    return new Run.Result(prepared.train(), answers);
  }

  /** Publishes model and adapter as one, where that is wanted; its location. */
  private Optional<String> merge(SparkSession spark, RunRecord record) throws IOException {
    if (checked.model().merged() instanceof MergedModel.Unwanted) {
      return Optional.empty();
    }
    held.requireHeld();
    Optional<String> merged =
        MergedResult.publish(checked, held::requireHeld, spark.sparkContext(), display);
    merged.ifPresent(record::merged);
    return merged;
  }

  private Outcome train(SparkSession spark, RunRecord record, PreparedData prepared)
      throws IOException {
    record.model(checked.model().fingerprint());
    long steps = Batches.steps(checked.config(), prepared.train().train().sequences());
    record.training(steps, checked.model().adapters());
    SortedMap<String, String> identity =
        RunIdentity.of(checked.config(), checked.model().fingerprint(), prepared);
    JobDescriptions.checkpoints(spark.sparkContext());
    List<StoredCheckpoint> found =
        checked
            .earlier()
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
            checked.folder(),
            checked.model().fingerprint(),
            steps,
            prepared,
            spark.version(),
            spark.sparkContext().applicationId(),
            mask);
    training =
        new TrainingStage(
            spark.sparkContext(),
            checked,
            runId,
            steps,
            display,
            record,
            held,
            audience.track(tracked));
    held.requireHeld();
    return training.run(identity, found);
  }

  /** The run as it is now; the record is told of samples that have come. */
  RunView view(RunRecord record) {
    TrainingStage stage = training;
    if (stage != null && !stage.outcome().samples().isEmpty()) {
      samples.tell(stage.outcome(), record);
    }
    return withoutSamples(record);
  }

  /** The same without a look at its samples. */
  RunView withoutSamples(RunRecord record) {
    TrainingStage stage = training;
    return new RunView(
        checked.folder().child(""),
        record.snapshot(),
        stage == null ? new MetricsLog() : stage.metrics(),
        dataset,
        Instant.now());
  }

  /** Whether training has begun. */
  boolean isTraining() {
    return training != null;
  }

  /** Sends the ranks away, because the folder is another run's. */
  void leave() {
    TrainingStage stage = training;
    if (stage != null) {
      stage.leave();
    }
  }

  /**
   * Makes the ranks leave with a checkpoint, where there are any.
   *
   * @param most at most so long
   * @return what to tell of the run, which was told to end
   */
  String leaveInGoodOrder(Duration most) {
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
}
