package dev.anneal.spark.train;

import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.RunOutputFolder;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.training.checkpoint.ResumePoint;
import dev.anneal.training.io.ModelFolder;
import java.io.Serializable;

/**
 * One attempt at the training stage. All that its ranks write lies below names that bear its id, so
 * that ranks of an earlier attempt that still live cannot touch what a later one writes.
 *
 * @param runId tells its run from every other
 * @param number of the attempt in its run
 * @param resume {@code null}: begin at the first step
 */
public record Attempt(String runId, int number, RunFolder folder, Resume resume)
    implements Serializable {

  /**
   * Where an attempt goes on.
   *
   * @param step optimizer steps done
   * @param files folder of the checkpoint's files, below the run's folder
   * @param best the checkpoint that it names as its best, by whichever attempt; {@code null}: none
   */
  public record Resume(long step, String files, Resume best) implements Serializable {}

  /** Tells it from every other attempt of every run in the same folder. */
  public String id() {
    return runId + "-" + number;
  }

  /** Where its ranks write their files of a checkpoint. */
  RunOutputFolder checkpoint(long step) {
    return new RunOutputFolder(folder, RunFolder.checkpoint(step) + "/" + id());
  }

  /**
   * The checkpoint after {@code step} steps: that which the one it goes on from names as its best,
   * or its own.
   */
  ModelFolder stored(long step) {
    Resume best = resume == null ? null : resume.best();
    String files =
        best != null && best.step() == step
            ? best.files()
            : RunFolder.checkpoint(step) + "/" + id();
    return new StorageModelFolder(folder.child(files), folder.storage());
  }

  /** Where rank 0 writes the result. */
  RunOutputFolder result(String name) {
    return new RunOutputFolder(folder, resultFolder(id(), name));
  }

  /** Where the result of an attempt lies below the run's folder. */
  public static String resultFolder(String attempt, String name) {
    return RunFolder.ATTEMPTS + "/" + attempt + "/" + name;
  }

  /** The checkpoint as the training core reads it; {@code null} for the first step. */
  ResumePoint resumePoint() {
    return resume == null
        ? null
        : new ResumePoint(
            resume.step(), new StorageModelFolder(folder.child(resume.files()), folder.storage()));
  }
}
