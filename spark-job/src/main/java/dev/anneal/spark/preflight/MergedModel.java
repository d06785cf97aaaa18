package dev.anneal.spark.preflight;

import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.progress.Sizes;
import dev.anneal.spark.storage.LocalPlace;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.storage.Storage.FileInfo;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.merge.MergeInputs;
import dev.anneal.training.merge.MergePlan;
import dev.anneal.training.merge.MergedConfig;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.trainer.TrainingSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Whether a run publishes model and adapter as one, by {@code output.merged}. */
public sealed interface MergedModel {
  /** Nobody wants it. */
  record Unwanted() implements MergedModel {}

  /**
   * It is wanted and cannot be.
   *
   * @param reason a clause: why not
   */
  record Impossible(String reason) implements MergedModel {}

  /**
   * It is made.
   *
   * @param bytes of its weights
   * @param base location of the model
   */
  record Made(long bytes, String base) implements MergedModel {}

  /**
   * What becomes of it.
   *
   * @param adapters which modules get an adapter; {@code null} where every weight trains
   */
  static MergedModel of(
      AnnealConfig config, LlamaConfig shape, LoraLayout adapters, RunFolder folder)
      throws IOException {
    if (!isWanted(config)) {
      return new Unwanted();
    }
    if (adapters == null) {
      return new Impossible("with training.mode=full the result is a whole model already");
    }
    if (!(ModelLocation.of(config.model().path()) instanceof ModelLocation.Folder model)) {
      return new Impossible("the base weights are random, which nobody else has");
    }
    StorageModelFolder base = new StorageModelFolder(model.location(), folder.storage());
    long bytes;
    try {
      MergedConfig.requirePlain(base);
      // the files of the adapter are not looked at
      MergeInputs inputs = new MergeInputs(base, base, shape, adapters, List.of());
      bytes = MergePlan.of(inputs, null, Long.MAX_VALUE).bytes();
    } catch (InvalidModelException e) {
      return new Impossible(e.getMessage().replaceFirst("\\.$", ""));
    }
    if (folder.isLocal()) {
      long room = room(folder);
      if (room < bytes) {
        return new Impossible(
            "it takes %s, and %s has room for %s"
                .formatted(Sizes.of(bytes), folder.display(), Sizes.of(room)));
      }
    }
    return new Made(bytes, model.location());
  }

  /** Bytes that it can take of a local disk, with what it replaces. */
  static long room(RunFolder folder) throws IOException {
    long room = Files.getFileStore(LocalPlace.there(Path.of(folder.display()))).getUsableSpace();
    for (FileInfo file : folder.storage().list(folder.child(RunFolder.MERGED))) {
      room += file.bytes();
    }
    return room;
  }

  /** Whether {@code output.merged} asks for it. */
  static boolean isWanted(AnnealConfig config) {
    return isAuto(config)
        ? config.lora().useDora() && config.training().mode() == TrainingSpec.Mode.LORA
        : config.output().merged().asBoolean();
  }

  /** Whether it is left to Anneal. */
  static boolean isAuto(AnnealConfig config) {
    return config.output().merged().isTextual();
  }
}
