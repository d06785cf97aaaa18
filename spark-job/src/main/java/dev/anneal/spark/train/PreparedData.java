package dev.anneal.spark.train;

import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.manifest.Split;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;

/**
 * What a run trains on, and what it evaluates on.
 *
 * @param train its rows held out are evaluated on where {@code eval} is {@code null}
 * @param eval a data set of its own, all of which is evaluated on
 */
public record PreparedData(DatasetManifest train, DatasetManifest eval) {

  /**
   * Reads the manifests in the folder of a run.
   *
   * @throws dev.anneal.data.error.InvalidDataException if one that the configuration asks for is
   *     not there or not complete
   */
  public static PreparedData read(AnnealConfig config, RunFolder folder) {
    Storage storage = folder.storage();
    return new PreparedData(
        DatasetManifest.read(folder.child(RunFolder.DATASET), storage),
        config.data().evalRows().areGiven()
            ? DatasetManifest.read(folder.child(RunFolder.EVAL_DATASET), storage)
            : null);
  }

  /** Rows to evaluate on. */
  public long evalRows() {
    return eval == null ? train.eval().rows() : eval.train().rows();
  }

  /** For which the model needs an embedding. */
  public int largestTokenId() {
    return eval == null
        ? train.largestTokenId()
        : Math.max(train.largestTokenId(), eval.largestTokenId());
  }

  /** The folder in that of the run which holds what is evaluated on. */
  static String evalFolder(AnnealConfig config) {
    return config.data().evalRows().areGiven() ? RunFolder.EVAL_DATASET : RunFolder.DATASET;
  }

  /** The part of that data set which is evaluated on. */
  static Split evalSplit(AnnealConfig config) {
    return config.data().evalRows().areGiven() ? Split.TRAIN : Split.EVAL;
  }
}
