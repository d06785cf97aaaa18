package dev.anneal.spark.checkpoint;

import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.train.Batches;
import dev.anneal.spark.train.PreparedData;
import dev.anneal.training.trainer.TrainingSpec;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a run computes, apart from where: two runs with the same identity give the same adapter, to
 * rounding. Configuration keys stand for themselves, {@code model} and {@code data set} are hashes.
 */
public final class RunIdentity {
  private static final Set<String> HASHES =
      Set.of("the model", "the data set", "the data set to evaluate on");

  private RunIdentity() {}

  /**
   * The identity of a run.
   *
   * @param model fingerprint of the model
   */
  public static SortedMap<String, String> of(AnnealConfig config, String model, PreparedData data) {
    SortedMap<String, String> identity = config.identity();
    identity.put("the model", model);
    identity.put("the data set", data.train().sha256());
    if (data.eval() != null) {
      identity.put("the data set to evaluate on", data.eval().sha256());
    }
    identity.put(
        "the number of steps",
        Long.toString(Batches.steps(config, data.train().train().sequences())));
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
    boolean isHash = HASHES.contains(key) && there != null && here != null;
    return isHash
        ? key + " is another"
        : "%s is %s there and %s here".formatted(key, shown(there), shown(here));
  }

  private static String shown(String value) {
    return value == null ? "not set" : value;
  }
}
