package dev.anneal.spark.preflight;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.Request;
import dev.anneal.spark.checkpoint.CheckpointSearch;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.output.RunState;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.util.Optional;

/** Whether the output folder is free, or may be made so, and can be written to. */
final class OutputCheck {
  private OutputCheck() {}

  static void checkFree(Request request, RunFolder folder) {
    folder
        .linkAmong(RunFolder.writtenBy(request.command()))
        .ifPresent(
            name -> {
              throw new BadRequestException(
                  "output.path %s: %s there is a link, and nothing is written through one: remove it, or choose another output.path."
                      .formatted(folder.display(), name));
            });
    if (request.existing() == Request.Existing.REPLACE) {
      return;
    }
    try {
      Optional<String> found = occupiedPart(request.command(), folder);
      if (found.isPresent()) {
        throw new BadRequestException(
            "output.path %s already holds %s: choose another folder, or add --overwrite to replace it."
                .formatted(folder.display(), found.get()));
      }
      checkNoCheckpoints(request, folder);
    } catch (IOException e) {
      throw new BadRequestException(
          "output.path %s cannot be read (%s): choose a folder that this user can reach."
              .formatted(folder.display(), e.getMessage()),
          e);
    }
  }

  /** {@code run.json} of a run that did not get to its end there and is to go on now. */
  static Optional<JsonNode> unfinishedRun(Request request, RunFolder folder) throws IOException {
    boolean goesOn =
        request.command().trains()
            && request.existing() == Request.Existing.KEEP
            && request.config().checkpoint().resume() == AnnealConfig.Resume.AUTO;
    return goesOn
        ? record(folder).filter(run -> !isOf(run, Request.Command.PREP))
        : Optional.empty();
  }

  /** A run that begins anew would put its checkpoints in the place of those that are there. */
  private static void checkNoCheckpoints(Request request, RunFolder folder) throws IOException {
    if (request.command().trains()
        && request.config().checkpoint().resume() == AnnealConfig.Resume.NEVER
        && CheckpointSearch.mayFindAny(folder)) {
      throw new BadRequestException(
          "output.path %s holds checkpoints of an interrupted run: set checkpoint.resume=auto to go on from them, or add --overwrite to start anew."
              .formatted(folder.display()));
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

  /** What stands there to be kept; what a failed or interrupted run has left is free. */
  private static Optional<String> occupiedPart(Request.Command command, RunFolder folder)
      throws IOException {
    Optional<JsonNode> run = record(folder);
    if (run.isPresent() && !run.get().has("state")) {
      return Optional.of("a run.json that is not Anneal's");
    }
    boolean preparedOnly = run.isEmpty() || isOf(run.get(), Request.Command.PREP);
    if (command.prepares()
        && (preparedOnly || !command.trains())
        && folder.has(RunFolder.DATASET + "/" + DatasetManifest.FILE_NAME)) {
      return Optional.of("a prepared data set");
    }
    if (!preparedOnly) {
      return run.get().path("state").asText().equals(RunState.SUCCEEDED.jsonName())
          ? Optional.of("a finished run")
          : Optional.empty();
    }
    for (String made : RunFolder.foldersMadeBy(command)) {
      // the record of a prep tells of data sets alone
      boolean recorded =
          run.isPresent()
              && (made.equals(RunFolder.DATASET) || made.equals(RunFolder.EVAL_DATASET));
      if (!recorded && folder.has(made)) {
        return Optional.of("a folder named " + made + " that no run.json tells of");
      }
    }
    return Optional.empty();
  }

  private static Optional<JsonNode> record(RunFolder folder) throws IOException {
    if (!folder.has(RunFolder.RECORD)) {
      return Optional.empty();
    }
    byte[] json;
    try {
      json = folder.read(RunFolder.RECORD);
    } catch (Storage.NotRegularException e) {
      throw new BadRequestException(
          "output.path %s: %s: remove it, choose another output.path, or replace everything with --overwrite."
              .formatted(folder.display(), e.getMessage()),
          e);
    }
    try {
      return Optional.of(new ObjectMapper().readTree(json));
    } catch (IOException e) {
      // also of an encoding that it does not have
      throw new BadRequestException(
          "output.path %s: run.json is damaged, so what else is there cannot be told: put it back, choose another output.path, or replace everything with --overwrite."
              .formatted(folder.display()),
          e);
    }
  }

  private static boolean isOf(JsonNode run, Request.Command command) {
    return run.path("command").asText().equalsIgnoreCase(command.name());
  }
}
