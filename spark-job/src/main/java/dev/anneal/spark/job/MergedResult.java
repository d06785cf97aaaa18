package dev.anneal.spark.job;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.Request;
import dev.anneal.spark.merge.MergeJob;
import dev.anneal.spark.merge.MergeRequest;
import dev.anneal.spark.preflight.MergedModel;
import dev.anneal.spark.preflight.Plan;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.model.config.LlamaConfig;
import java.io.IOException;
import java.util.Optional;
import org.apache.spark.SparkContext;

/** What a run publishes beside its adapter: the model with the adapter in it. */
final class MergedResult {
  private MergedResult() {}

  /**
   * Writes it, by the tasks of a merge, and holds it against model and adapter.
   *
   * @param guard asked before the driver changes something
   * @return its location; empty where it cannot be made and that was noted before the run began
   * @throws JobFailedException if that fails; the adapter is published
   */
  static Optional<String> publish(
      Plan plan, RunFolder.Guard guard, SparkContext spark, ProgressDisplay display) {
    RunFolder folder = plan.folder();
    if (!(ModelLocation.of(plan.config().model().path())
        instanceof ModelLocation.Folder located)) {
      // no merge can be done later either
      return Optional.empty();
    }
    String model = located.location();
    String output = folder.child(RunFolder.MERGED);
    try {
      MergedModel decided = decided(plan, model);
      if (decided instanceof MergedModel.Impossible impossible) {
        if (plan.model().merged() instanceof MergedModel.Made) {
          throw new BadRequestException(impossible.reason());
        }
        display.line(notMerged(folder, model, impossible.reason()));
        return Optional.empty();
      }
      JobDescriptions.merging(spark);
      MergeJob.execute(request(folder, model, output), guard, spark, display);
    } catch (BadRequestException
        | JobFailedException
        | InvalidModelException
        | IOException e) {
      throw new JobFailedException(notMerged(folder, model, String.valueOf(e.getMessage())), e);
    }
    return Optional.of(output);
  }

  /** As it looks now: disk and model may be others than before the run. */
  private static MergedModel decided(Plan plan, String model) throws IOException {
    LlamaConfig shape =
        LlamaConfig.read(new StorageModelFolder(model, plan.folder().storage()));
    return MergedModel.of(plan.config(), shape, plan.model().adapters(), plan.folder());
  }

  private static MergeRequest request(RunFolder folder, String model, String output) {
    return MergeRequest.of(
        folder.child(RunFolder.ADAPTER),
        model,
        output,
        null,
        MergeRequest.DEFAULT_SHARD_SIZE,
        true,
        Request.Existing.REPLACE);
  }

  private static String notMerged(RunFolder folder, String model, String reason) {
    String adapter = RunFolder.display(folder.child(RunFolder.ADAPTER));
    return "The adapter is published in %s, but not as one with its model (%s): see to that, and run ./submit.sh merge --model %s --adapter %s --output FOLDER."
        .formatted(
            adapter, reason.replaceFirst("\\.$", ""), RunFolder.display(model), adapter);
  }
}
