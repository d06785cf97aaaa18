package dev.anneal.spark.job;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.Request;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.merge.MergeJob;
import dev.anneal.spark.merge.MergeRequest;
import dev.anneal.spark.preflight.MergedModel;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.training.lora.LoraLayout;
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
   * @return its location; empty where it cannot be made, which was noted before the run began
   * @throws JobFailedException if that fails; the adapter is published
   */
  static Optional<String> publish(
      AnnealConfig config,
      LoraLayout adapters,
      RunFolder folder,
      SparkContext spark,
      ProgressDisplay display)
      throws IOException {
    if (!(ModelLocation.of(config.model().path()) instanceof ModelLocation.Folder model)) {
      return Optional.empty();
    }
    LlamaConfig shape =
        LlamaConfig.read(new StorageModelFolder(model.location(), folder.storage()));
    MergedModel decided = MergedModel.of(config, shape, adapters, folder);
    if (!(decided instanceof MergedModel.Made made)) {
      return Optional.empty();
    }
    String adapter = folder.child(RunFolder.ADAPTER);
    String output = folder.child(RunFolder.MERGED);
    MergeRequest request =
        MergeRequest.of(
            adapter,
            made.base(),
            output,
            null,
            MergeRequest.DEFAULT_SHARD_SIZE,
            true,
            Request.Existing.REPLACE);
    try {
      MergeJob.execute(request, spark, display);
    } catch (BadRequestException | JobFailedException e) {
      throw new JobFailedException(
          "The adapter is published in %s, but not as one with its model (%s): see to that, and run ./submit.sh merge --model %s --adapter %s --output FOLDER."
              .formatted(
                  RunFolder.display(adapter),
                  e.getMessage().replaceFirst("\\.$", ""),
                  RunFolder.display(made.base()),
                  RunFolder.display(adapter)),
          e);
    }
    return Optional.of(output);
  }
}
