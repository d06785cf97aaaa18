package dev.anneal.spark.evaluate;

import dev.anneal.data.arrow.PreparedDataset;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.manifest.Split;
import dev.anneal.storage.Storage;

/**
 * What is measured: a split of a prepared data set.
 *
 * @param folder that holds {@code dataset.json}
 */
record EvaluatedRows(String folder, DatasetManifest manifest, Split split) {
  PreparedDataset open(Storage storage) {
    return PreparedDataset.of(folder, manifest.part(split).files(), storage);
  }

  long sequences() {
    return manifest.part(split).sequences();
  }
}
