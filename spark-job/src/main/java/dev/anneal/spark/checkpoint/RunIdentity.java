package dev.anneal.spark.checkpoint;

import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.train.Batches;
import dev.anneal.training.trainer.TrainingSpec;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a run computes, apart from where: two runs with the same identity give the same adapter, to
 * rounding. Configuration keys stand for themselves, {@code model} and {@code data set} are hashes.
 */
public final class RunIdentity {
  private RunIdentity() {}

  /**
   * The identity of a run.
   *
   * @param model fingerprint of the model
   */
  public static SortedMap<String, String> of(
      AnnealConfig config, String model, DatasetManifest dataset) {
    SortedMap<String, String> identity = config.identity();
    identity.put("the model", model);
    identity.put("the data set", dataset.sha256());
    identity.put(
        "the number of steps", Long.toString(Batches.steps(config, dataset.train().sequences())));
    identity.put("the global batch", Long.toString(config.globalBatch()));
    if (config.training().mode() == TrainingSpec.Mode.FULL) {
      // before, all weights were one bucket
      identity.put("the layout of the weights", "a bucket a layer");
    }
    return identity;
  }

  /** What differs between the identity of a checkpoint and that of a run, in words. */
  static Optional<String> difference(Map<String, String> there, Map<String, String> here) {
    SortedMap<String, String> all = new TreeMap<>(there);
    all.putAll(here);
    return all.keySet().stream()
        .filter(key -> !Objects.equals(there.get(key), here.get(key)))
        .map(key -> difference(key, there.get(key), here.get(key)))
        .reduce((first, second) -> first + ", " + second);
  }

  private static String difference(String key, String there, String here) {
    return key.equals("the model") || key.equals("the data set")
        ? key + " is another"
        : "%s is %s there and %s here".formatted(key, shown(there), shown(here));
  }

  private static String shown(String value) {
    return value == null ? "not set" : value;
  }
}
