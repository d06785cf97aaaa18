package dev.anneal.spark.checkpoint;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.storage.FileAudit;
import dev.anneal.spark.storage.RunFolder;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaSparkContext;

/** Reads the files of checkpoints again, on the cluster, to see whether they are as written. */
public final class CheckpointAudit {
  private CheckpointAudit() {}

  /**
   * The usable checkpoints from the newest on that is as it was written.
   *
   * @param say told of each that is not
   * @throws BadRequestException if none of those that are there is
   */
  public static List<StoredCheckpoint> intact(
      JavaSparkContext spark, CheckpointSearch search, Consumer<String> say) {
    search.leftOut().forEach(reason -> say.accept("A checkpoint is left out: " + reason));
    List<StoredCheckpoint> usable = search.usable();
    for (int i = 0; i < usable.size(); i++) {
      Optional<String> altered = firstAltered(spark, usable.get(i), usable);
      if (altered.isEmpty()) {
        return usable.subList(i, usable.size());
      }
      say.accept(
          "A checkpoint is left out: %s is not as it was written."
              .formatted(RunFolder.display(altered.get())));
    }
    if (!usable.isEmpty()) {
      throw CheckpointSearch.noneUsable(usable.get(0).run(), "none is as it was written");
    }
    return List.of();
  }

  /**
   * The first file of a checkpoint, or of the one that it needs, that is not as it was written;
   * empty where all are.
   */
  private static Optional<String> firstAltered(
      JavaSparkContext spark, StoredCheckpoint checkpoint, List<StoredCheckpoint> all) {
    OptionalLong needed = checkpoint.needed();
    List<FileAudit.Suspect> suspects =
        all.stream()
            .filter(
                other ->
                    other.equals(checkpoint)
                        || (needed.isPresent() && other.step() == needed.getAsLong()))
            .flatMap(CheckpointAudit::suspects)
            .toList();
    return FileAudit.firstAltered(spark, checkpoint.run().storage(), suspects);
  }

  private static Stream<FileAudit.Suspect> suspects(StoredCheckpoint checkpoint) {
    return checkpoint.manifest().files().stream()
        .map(file -> new FileAudit.Suspect(checkpoint.locationOf(file), file.sha256()));
  }
}
