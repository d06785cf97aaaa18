package dev.anneal.spark.checkpoint;

import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.train.Attempt;
import dev.anneal.storage.Storage;
import dev.anneal.training.checkpoint.CheckpointManifest;
import dev.anneal.training.checkpoint.InvalidCheckpointException;
import dev.anneal.training.io.WrittenFile;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.Optional;
import java.util.OptionalLong;

/** A checkpoint in the folder of a run whose manifest stands. */
public record StoredCheckpoint(RunFolder run, CheckpointManifest manifest) {
  /** What had been measured up to its step. */
  static final String METRICS = "metrics.jsonl";

  /** How the held-out prompts were continued before training. */
  static final String SAMPLES = "samples.json";

  /**
   * The checkpoint after {@code step} steps; empty where it was not completed.
   *
   * @throws InvalidCheckpointException if its manifest is damaged or another step's
   */
  static Optional<StoredCheckpoint> read(RunFolder run, long step) throws IOException {
    String file = RunFolder.checkpoint(step) + "/" + CheckpointManifest.FILE;
    if (!run.has(file)) {
      return Optional.empty();
    }
    String where = RunFolder.display(run.child(file));
    CheckpointManifest manifest = CheckpointManifest.parse(content(run, file, where), where);
    if (manifest.step() != step) {
      throw new InvalidCheckpointException(
          "%s is that of step %s.".formatted(where, manifest.step()));
    }
    return Optional.of(new StoredCheckpoint(run, manifest));
  }

  /**
   * What cannot be read for what it is costs this checkpoint; whatever else, the older ones too.
   */
  private static byte[] content(RunFolder run, String file, String where) throws IOException {
    try {
      return run.read(file);
    } catch (Storage.NotRegularException | FileNotFoundException e) {
      throw new InvalidCheckpointException(where + " is no regular file.", e);
    }
  }

  /** Optimizer steps done when it was taken. */
  public long step() {
    return manifest.step();
  }

  /**
   * For ranks that go on from it.
   *
   * @param best that it names as its best; {@code null}: none
   */
  Attempt.Resume resume(StoredCheckpoint best) {
    return new Attempt.Resume(
        step(), folder() + "/" + manifest.attempt(), best == null ? null : best.resume(null));
  }

  /** The step of another checkpoint without which this one is of no use; empty: there is none. */
  OptionalLong needed() {
    long best = manifest.bestStep();
    return best == 0 || best == step() ? OptionalLong.empty() : OptionalLong.of(best);
  }

  /** That this one is of no use, because the one it needs is not there as it was. */
  String lacksBest() {
    return "%s names the checkpoint after step %s as its best, which cannot be used."
        .formatted(display(), manifest.bestStep());
  }

  /** The lines of everything measured up to its step. */
  public byte[] metrics() throws IOException {
    return read(METRICS);
  }

  /** How the held-out prompts were continued before training. */
  public byte[] samples() throws IOException {
    return read(SAMPLES);
  }

  private byte[] read(String name) throws IOException {
    return run.read(folder() + "/" + manifest.attempt() + "/" + name);
  }

  /** What to call it in a message. */
  public String display() {
    return RunFolder.display(run.child(folder()));
  }

  /** Path or URI of one of its files. */
  String locationOf(WrittenFile file) {
    return run.child(folder() + "/" + file.name());
  }

  /**
   * @throws InvalidCheckpointException if a file is missing or has another size than it had
   */
  void requireSizes() throws IOException {
    Storage storage = run.storage();
    for (WrittenFile file : manifest.files()) {
      long bytes;
      try {
        bytes = storage.size(locationOf(file));
      } catch (FileNotFoundException e) {
        throw new InvalidCheckpointException(display() + " lacks " + file.name() + ".", e);
      }
      if (bytes != file.bytes()) {
        throw new InvalidCheckpointException(
            "%s has %s bytes of %s in place of %s."
                .formatted(display(), bytes, file.name(), file.bytes()));
      }
    }
  }

  private String folder() {
    return RunFolder.checkpoint(step());
  }
}
