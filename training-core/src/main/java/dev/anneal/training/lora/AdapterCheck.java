package dev.anneal.training.lora;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.CheckpointIndex;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.LlamaConfig;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Finds out from its headers alone whether training can start from a PEFT adapter. */
public final class AdapterCheck {

  private AdapterCheck() {}

  /**
   * Checks that {@code adapter} is a LoRA adapter of the rank, target modules and scale of {@code
   * spec}, and that it holds A and B of every target module of every layer, and nothing else.
   *
   * @throws InvalidModelException naming the first setting or tensor that differs
   */
  public static void check(ModelFolder adapter, LlamaConfig config, LoraSpec spec)
      throws IOException {
    if (!adapter.has(PeftConfig.FILE)) {
      throw new InvalidModelException(
          "There is no adapter in %s to start from: it has no %s; set lora.init_from to the folder of a PEFT adapter."
              .formatted(adapter.location(), PeftConfig.FILE));
    }
    checkSpec(adapter.locationOf(PeftConfig.FILE), PeftConfig.read(adapter).lora(), spec);
    Map<String, long[]> shapes = shapes(config, spec);
    try (CheckpointIndex index = CheckpointIndex.open(adapter, CheckpointIndex.ADAPTER_FILE)) {
      for (var tensor : shapes.entrySet()) {
        index.requireWeight(tensor.getKey(), tensor.getValue());
      }
      for (String name : index.names()) {
        if (!shapes.containsKey(name)) {
          throw new InvalidModelException(
              "%s holds tensor %s, which an adapter of this model with these lora settings does not have."
                  .formatted(index.where(name), name));
        }
      }
    }
  }

  private static void checkSpec(String where, LoraSpec found, LoraSpec spec) {
    if (found.r() != spec.r()) {
      throw differs(where, "rank (r)", found.r(), spec.r());
    }
    List<String> foundTargets = names(LoraTargets.resolve(found.targetModules()));
    List<String> targets = names(LoraTargets.resolve(spec.targetModules()));
    if (!foundTargets.equals(targets)) {
      throw differs(where, "target modules", foundTargets, targets);
    }
    if (found.scale() != spec.scale()) {
      throw differs(where, "scale (from lora_alpha and use_rslora)", found.scale(), spec.scale());
    }
  }

  private static List<String> names(Set<LinearModule> modules) {
    return modules.stream().map(LinearModule::moduleName).toList();
  }

  private static InvalidModelException differs(
      String where, String what, Object found, Object expected) {
    return new InvalidModelException(
        "%s has the %s %s but this run has %s; set lora.r, lora.alpha and lora.target_modules to the adapter's."
            .formatted(where, what, found, expected));
  }

  /** The shape of every A and B by its name. */
  private static Map<String, long[]> shapes(LlamaConfig config, LoraSpec spec) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
      for (LinearModule module : LoraTargets.resolve(spec.targetModules())) {
        shapes.put(module.loraAName(layer), new long[] {spec.r(), module.inFeatures(config)});
        shapes.put(module.loraBName(layer), new long[] {module.outFeatures(config), spec.r()});
      }
    }
    return shapes;
  }
}
