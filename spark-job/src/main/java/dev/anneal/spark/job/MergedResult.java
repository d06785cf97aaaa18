package dev.anneal.spark.job;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.merge.MergeJob;
import dev.anneal.spark.merge.MergeRequest;
import dev.anneal.spark.preflight.CheckedRequest;
import dev.anneal.spark.preflight.MergedModel;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.spark.storage.StoreRefusal;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.model.config.LlamaConfig;
import java.io.IOException;
import java.util.Optional;
import org.apache.spark.SparkContext;

/** What a run publishes beside its adapter: the model with the adapter in it. */
final class MergedResult {
  private MergedResult() {}

  /**
   * Writes it, by the tasks of a merge, and holds it against model and adapter. Where this run was
   * cut off in the middle of it, the files that are missing are written.
   *
   * @param guard asked before the driver changes something
   * @return its location; empty where it cannot be made and that was noted before the run began
   * @throws JobFailedException if that fails; the adapter is published
   */
  static Optional<String> publish(
      CheckedRequest checked, RunFolder.Guard guard, SparkContext spark, ProgressDisplay display) {
    RunFolder folder = checked.folder();
    if (!(ModelLocation.of(checked.config().model().path())
        instanceof ModelLocation.Folder located)) {
      // no merge can be done later either
      return Optional.empty();
    }
    String model = located.location();
    String output = folder.child(RunFolder.MERGED);
    if (decided(checked, model) instanceof MergedModel.Impossible impossible) {
      String sentence = notMerged(folder, model, impossible.reason());
      if (checked.model().merged() instanceof MergedModel.Made) {
        throw new JobFailedException(sentence, null);
      }
      display.line(sentence);
      return Optional.empty();
    }
    JobDescriptions.merging(spark);
    try {
      MergeRequest request = MergeRequest.ofRun(folder.child(RunFolder.ADAPTER), model, output);
      MergeJob.execute(request, guard, spark, display);
    } catch (BadRequestException | JobFailedException e) {
      // as its cause, a store's refusal would be told in place of the sentence
      JobFailedException failure =
          new JobFailedException(notMerged(folder, model, reason(e)), null);
      failure.addSuppressed(e);
      throw failure;
    }
    return Optional.of(output);
  }

  /** As it looks now: disk and model may be others than before the run. */
  private static MergedModel decided(CheckedRequest checked, String model) {
    try {
      LlamaConfig shape =
          LlamaConfig.read(new StorageModelFolder(model, checked.folder().storage()));
      return MergedModel.of(checked.config(), shape, checked.model().adapters(), checked.folder());
    } catch (IOException | InvalidModelException e) {
      return new MergedModel.Impossible(reason(e));
    }
  }

  private static String reason(Exception e) {
    return StoreRefusal.sentence(e).orElseGet(() -> String.valueOf(e.getMessage()));
  }

  private static String notMerged(RunFolder folder, String model, String reason) {
    String adapter = RunFolder.display(folder.child(RunFolder.ADAPTER));
    return "The adapter is published in %s, but not as one with its model (%s): see to that, and run ./submit.sh merge --model %s --adapter %s --output FOLDER."
        .formatted(adapter, reason.replaceFirst("\\.$", ""), RunFolder.display(model), adapter);
  }
}
