package dev.anneal.spark.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.DatasetManifest;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.train.Batches;
import dev.anneal.training.lora.LoraTargets;
import dev.anneal.training.trainer.TrainingSpec;
import java.util.List;
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
  private static final List<String> KEYS =
      List.of(
          "data.shuffle",
          "base_weights.dtype",
          "compute.dtype",
          "compute.matmul",
          "training.mode",
          "training.max_grad_norm",
          "training.on_nan",
          "training.seed",
          "optimizer.learning_rate",
          "optimizer.weight_decay",
          "optimizer.betas",
          "optimizer.eps",
          "schedule.type",
          "schedule.warmup_steps",
          "schedule.warmup_ratio");

  private static final List<String> ADAPTER_KEYS =
      List.of("lora.r", "lora.alpha", "lora.dropout", "lora.use_rslora", "lora.init_from");

  private RunIdentity() {}

  /**
   * The identity of a run.
   *
   * @param model fingerprint of the model
   */
  public static SortedMap<String, String> of(
      AnnealConfig config, String model, DatasetManifest dataset) {
    SortedMap<String, String> identity = new TreeMap<>();
    ObjectNode tree = config.resolved();
    KEYS.forEach(key -> identity.put(key, text(tree, key)));
    if (config.training().mode() == TrainingSpec.Mode.LORA) {
      ADAPTER_KEYS.forEach(key -> identity.put(key, text(tree, key)));
      identity.put(
          "lora.target_modules", LoraTargets.resolve(config.lora().targetModules()).toString());
      if (config.lora().dropout() > 0) {
        // masks are drawn for a micro-batch
        identity.put(
            "training.micro_batch_size", Integer.toString(config.training().microBatchSize()));
      }
    }
    identity.put("the model", model);
    identity.put("the data set", dataset.sha256());
    identity.put(
        "the number of steps", Long.toString(Batches.steps(config, dataset.train().sequences())));
    identity.put("the global batch", Long.toString(config.globalBatch()));
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

  private static String text(ObjectNode tree, String key) {
    JsonNode value = tree.at("/" + key.replace('.', '/'));
    return value.isTextual() ? value.asText() : value.toString();
  }
}
