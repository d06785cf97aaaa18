package dev.anneal.spark.preflight;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.prep.PrepSpec;
import dev.anneal.data.prep.PreparedBefore;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.Request;
import dev.anneal.spark.checkpoint.CheckpointSearch;
import dev.anneal.spark.checkpoint.RunIdentity;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.train.PreparedData;
import dev.anneal.spark.train.Specs;
import dev.anneal.training.checkpoint.CheckpointManifest;
import dev.anneal.training.checkpoint.InvalidCheckpointException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Finds what a run that did not get to its end has left in the output folder. */
final class EarlierRun {
  private static final CheckpointSearch NO_CHECKPOINTS = new CheckpointSearch(List.of(), List.of());

  private EarlierRun() {}

  /**
   * Looks for data set and checkpoints of such a run.
   *
   * @param model fingerprint of the model
   * @throws BadRequestException if there are checkpoints that this run cannot go on from
   */
  static Optional<ResumeState> find(
      Request request, RunFolder folder, String tokenizer, String model) {
    try {
      Optional<JsonNode> run = OutputCheck.unfinishedRun(request, folder);
      if (run.isEmpty()) {
        return Optional.empty();
      }
      JsonNode told = run.get().at("/checkpoints/last_complete_step");
      if (told.isIntegralNumber()) {
        requireIndex(told.longValue(), folder);
      }
      Optional<PreparedData> data = data(request, folder, tokenizer);
      if (data.isEmpty()) {
        return Optional.of(new ResumeState(null, NO_CHECKPOINTS));
      }
      CheckpointSearch found = checkpoints(request, folder, model, data.get());
      if (told.isIntegralNumber() && found.usable().isEmpty()) {
        throw CheckpointSearch.noneUsable(folder, lost(told.longValue()));
      }
      return Optional.of(new ResumeState(data.get(), found));
    } catch (InvalidCheckpointException e) {
      throw new BadRequestException(e.getMessage(), e);
    } catch (UncheckedIOException e) {
      throw unreadable(folder, e.getCause());
    } catch (IOException e) {
      throw unreadable(folder, e);
    }
  }

  private static BadRequestException unreadable(RunFolder folder, IOException e) {
    return new BadRequestException(
        "What an earlier run has left in output.path %s cannot be read (%s): choose a folder that this user can reach."
            .formatted(folder.display(), e.getMessage()),
        e);
  }

  private static Optional<PreparedData> data(Request request, RunFolder folder, String tokenizer)
      throws IOException {
    AnnealConfig config = request.config();
    if (!request.command().prepares()) {
      return Optional.of(PreparedData.read(config, folder));
    }
    Optional<DatasetManifest> train = manifest(Specs.prep(config, tokenizer), folder);
    PrepSpec evalPrep = Specs.evalPrep(config, tokenizer, Integer.MAX_VALUE);
    if (evalPrep == null) {
      return train.map(manifest -> new PreparedData(manifest, null));
    }
    Optional<DatasetManifest> eval = EvalSource.named(() -> manifest(evalPrep, folder));
    return train.flatMap(t -> eval.map(e -> new PreparedData(t, e)));
  }

  private static Optional<DatasetManifest> manifest(PrepSpec spec, RunFolder folder) {
    PreparedBefore before = PreparedBefore.find(spec, folder.storage());
    if (before.manifest().isEmpty() && mayFindCheckpoints(folder)) {
      throw new BadRequestException(
          "output.path %s holds checkpoints of a run on another data set, so choose another output.path, or start anew with --overwrite: %s"
              .formatted(folder.display(), before.difference()));
    }
    return before.manifest();
  }

  private static boolean mayFindCheckpoints(RunFolder folder) {
    try {
      return CheckpointSearch.mayFindAny(folder);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static CheckpointSearch checkpoints(
      Request request, RunFolder folder, String model, PreparedData data) throws IOException {
    return CheckpointSearch.in(folder, RunIdentity.of(request.config(), model, data));
  }

  /** Checkpoints that cannot be found are not to be replaced. */
  private static void requireIndex(long step, RunFolder folder) throws IOException {
    if (!CheckpointSearch.mayFindAny(folder)) {
      throw new BadRequestException(
          String.format(
              Locale.ROOT,
              "output.path %s: run.json tells of a checkpoint after step %,d, but %s/index.json is gone: put it back, or start anew with --overwrite.",
              folder.display(),
              step,
              RunFolder.CHECKPOINTS));
    }
  }

  private static String lost(long step) {
    return String.format(
        Locale.ROOT,
        "run.json tells of one after step %,d, but no step in %s/index.json has its %s",
        step,
        RunFolder.CHECKPOINTS,
        CheckpointManifest.FILE);
  }
}
