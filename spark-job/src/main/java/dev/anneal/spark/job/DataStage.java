package dev.anneal.spark.job;

import dev.anneal.data.RowSamples;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.error.LateRefusalException;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.prep.Preparation;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.Request;
import dev.anneal.spark.preflight.CheckedRequest;
import dev.anneal.spark.preflight.EvalSource;
import dev.anneal.spark.preflight.ResumeState;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.train.PreparedData;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.apache.spark.sql.SparkSession;

/** The data of a run: there already, or prepared. */
final class DataStage {
  private final Request request;
  private final CheckedRequest checked;
  private final ProgressDisplay display;
  private final UnaryOperator<String> mask;

  /**
   * @param mask hides what is secret
   */
  DataStage(
      Request request,
      CheckedRequest checked,
      ProgressDisplay display,
      UnaryOperator<String> mask) {
    this.request = request;
    this.checked = checked;
    this.display = display;
    this.mask = mask;
  }

  /** The data set that is there, or one that is prepared now. */
  PreparedData prepared(SparkSession spark) {
    Optional<PreparedData> earlier = checked.earlier().map(ResumeState::data);
    if (earlier.isPresent()) {
      display.line("Going on with the data set that is there ...");
      return earlier.get();
    }
    if (!request.command().prepares()) {
      return PreparedData.read(checked.config(), checked.folder());
    }
    DatasetManifest train = prepare(spark, checked.prep());
    return new PreparedData(
        train,
        checked.evalPrep() == null
            ? null
            : EvalSource.named(() -> prepare(spark, checked.evalPrep())));
  }

  private DatasetManifest prepare(SparkSession spark, Preparation prep) {
    String source = RunFolder.display(prep.spec().rows().source());
    display.line("Preparing " + source + " ...");
    JobDescriptions.preparation(spark.sparkContext(), mask.apply(source));
    try {
      return prep.run(spark);
    } catch (LateRefusalException e) {
      throw new JobFailedException(e.getMessage(), e);
    } catch (InvalidDataException e) {
      throw e;
    } catch (Exception e) {
      // Spark's are checked exceptions that no signature tells of
      throw new JobFailedException(
          "Preparing the data failed: " + RootCause.sentence(spark.sparkContext(), e), e);
    }
  }

  /** Prepared rows to look at; none where rows came tokenized without a tokenizer. */
  List<String> shownRows() {
    if (request.shownRows() == 0 || checked.model().tokenizer() == null) {
      return List.of();
    }
    String dataset = checked.folder().child(RunFolder.DATASET);
    return RowSamples.marked(
        dataset, request.shownRows(), checked.prep().tokenizer(), checked.folder().storage());
  }

  /** That of the model; {@code null} where there is none. */
  ChatTokenizer tokenizer() {
    return checked.model().tokenizer() == null
        ? null
        : ChatTokenizer.load(checked.model().tokenizer(), checked.folder().storage());
  }
}
