package dev.anneal.spark.preflight;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.DatasetManifest;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.Request;
import dev.anneal.spark.output.RunState;
import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.util.Optional;

/** Whether the output folder is free, or may be made so, and can be written to. */
final class OutputCheck {
  private OutputCheck() {}

  static void checkFree(Request request, RunFolder folder) {
    if (request.existing() == Request.Existing.REPLACE) {
      return;
    }
    try {
      Optional<String> found = finishedPart(request.command(), folder);
      if (found.isPresent()) {
        throw new BadRequestException(
            "output.path %s already holds %s: choose another folder, or add --overwrite to replace it."
                .formatted(folder.display(), found.get()));
      }
    } catch (IOException e) {
      throw new BadRequestException(
          "output.path %s cannot be read (%s): choose a folder that this user can reach."
              .formatted(folder.display(), e.getMessage()),
          e);
    }
  }

  static void checkWritable(RunFolder folder) {
    String probe = ".anneal-probe";
    try {
      folder.write(probe, new byte[0]);
      folder.delete(probe);
    } catch (IOException e) {
      throw new BadRequestException(
          "output.path %s cannot be written (%s): choose a folder that this user can write to."
              .formatted(folder.display(), e.getMessage()),
          e);
    }
  }

  /** What a run has completed there; what a failed or interrupted run has left is free. */
  private static Optional<String> finishedPart(Request.Command command, RunFolder folder)
      throws IOException {
    Optional<String> state = recordedState(folder);
    if (state.isPresent() && state.get().equals(RunState.SUCCEEDED.jsonName())) {
      return Optional.of("a finished run");
    }
    if (state.isEmpty() && folder.has(RunFolder.ADAPTER)) {
      return Optional.of("an adapter");
    }
    return !command.trains() && folder.has(RunFolder.DATASET + "/" + DatasetManifest.FILE_NAME)
        ? Optional.of("a prepared data set")
        : Optional.empty();
  }

  private static Optional<String> recordedState(RunFolder folder) throws IOException {
    if (!folder.has(RunFolder.RECORD)) {
      return Optional.empty();
    }
    JsonNode run = new ObjectMapper().readTree(folder.read(RunFolder.RECORD));
    // the record of a prep alone: a data set, and nothing that a training would destroy
    return run.path("command").asText().equals("prep")
        ? Optional.empty()
        : Optional.of(run.path("state").asText());
  }
}
