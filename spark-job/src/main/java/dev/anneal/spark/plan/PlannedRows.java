package dev.anneal.spark.plan;

import static java.util.Locale.ROOT;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.prep.PrepSpec;
import dev.anneal.data.prep.PreparedBefore;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.train.PlannedRun;
import dev.anneal.spark.train.Specs;
import dev.anneal.storage.Storage;
import dev.anneal.training.trainer.RowStatistics;

/**
 * The rows that a plan counts.
 *
 * @param words a sentence about them
 */
record PlannedRows(RowStatistics statistics, String words) {

  /** Those that the run's folder holds, prepared with the same settings, or what may come. */
  static PlannedRows of(AnnealConfig config, Storage storage) {
    if (config.output().path() == null || config.data().rows().source() == null) {
      return unknown(config, "when they are prepared in output.path, plan counts those.");
    }
    try {
      // where the tokenizer lies does not count
      PrepSpec spec = Specs.prep(config, String.valueOf(config.model().tokenizer()));
      PreparedBefore before = PreparedBefore.findBySettings(spec, storage);
      return before
          .manifest()
          .map(PlannedRows::known)
          .orElseGet(() -> unknown(config, before.difference()));
    } catch (InvalidDataException e) {
      // a plan is not about the data
      return unknown(config, e.getMessage());
    }
  }

  private static PlannedRows unknown(AnnealConfig config, String why) {
    return new PlannedRows(
        PlannedRun.rows(config),
        "Rows count as %s tokens each, all learned: %s"
            .formatted(config.data().sequences().maxLength(), why));
  }

  private static PlannedRows known(DatasetManifest dataset) {
    RowStatistics statistics = PlannedRun.rows(dataset);
    return new PlannedRows(
        statistics,
        String.format(
            ROOT,
            "Rows as prepared in output.path: %,d of %.0f tokens on average, %.0f%% of the tokens learned.",
            dataset.train().rows(),
            statistics.tokensPerRow(),
            100 * statistics.learnedShare()));
  }
}
