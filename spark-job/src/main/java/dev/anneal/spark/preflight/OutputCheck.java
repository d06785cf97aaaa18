package dev.anneal.spark.preflight;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.NullNode;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.Request;
import dev.anneal.spark.checkpoint.CheckpointSearch;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.output.RunState;
import dev.anneal.spark.report.RunReport;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.util.List;
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
      Optional<String> found = occupiedPart(request, folder);
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
  private static Optional<String> occupiedPart(Request request, RunFolder folder)
      throws IOException {
    Request.Command command = request.command();
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
    if (run.isEmpty()) {
      for (String file : RunFolder.filesOfCommonNames()) {
        if (folder.has(file) && !isPage(file, folder)) {
          return Optional.of("a " + file + " that no run.json tells of");
        }
      }
    }
    JsonNode config = request.config().resolved();
    for (String made : RunFolder.foldersMadeBy(command)) {
      // the record of a prep tells of data sets alone
      boolean recorded =
          run.isPresent()
              && (made.equals(RunFolder.DATASET) || made.equals(RunFolder.EVAL_DATASET));
      if (!recorded && makes(config, made) && folder.has(made)) {
        return Optional.of("a folder named " + made + " that no run.json tells of");
      }
    }
    return Optional.empty();
  }

  /** A page that {@code report} has made replaces nothing, so it may be replaced. */
  private static boolean isPage(String file, RunFolder folder) throws IOException {
    return file.equals(RunFolder.REPORT) && RunReport.isPage(folder.child(file), folder.storage());
  }

  /**
   * The folders that a run which begins anew removes: those that it makes itself, and those that
   * the run before it has made.
   */
  static List<String> replacedFolders(Request request, RunFolder folder) throws IOException {
    JsonNode now = request.config().resolved();
    JsonNode before = earlierConfig(folder);
    return RunFolder.foldersMadeBy(request.command()).stream()
        .filter(made -> makes(now, made) || makes(before, made))
        .toList();
  }

  private static JsonNode earlierConfig(RunFolder folder) throws IOException {
    try {
      return record(folder).<JsonNode>map(run -> run.path("config")).orElse(NullNode.instance);
    } catch (BadRequestException e) {
      // a record that is replaced need not be one
      return NullNode.instance;
    }
  }

  /** Whether a run with this configuration makes a folder; a few need a key for it. */
  private static boolean makes(JsonNode config, String folder) {
    return switch (folder) {
      case RunFolder.TENSORBOARD -> config.at("/tracking/tensorboard").asBoolean();
      case RunFolder.PROFILE -> config.at("/profile/steps").asInt() > 0;
      case RunFolder.MERGED -> makesMerged(config);
      case RunFolder.EVAL_DATASET -> config.at("/data/eval_source").isTextual();
      default -> true;
    };
  }

  private static boolean makesMerged(JsonNode config) {
    JsonNode merged = config.at("/output/merged");
    return merged.isTextual() ? config.at("/lora/use_dora").asBoolean() : merged.asBoolean();
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
