package dev.anneal.training.lora;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.Excerpt;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.config.LlamaConfig;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Finds out from its headers alone whether training can start from a PEFT adapter. */
public final class AdapterCheck {

  private AdapterCheck() {}

  /**
   * Checks that {@code adapter} is a LoRA adapter of the target modules, ranks and scales of {@code
   * layout}, and that it holds A and B of every one, and nothing else.
   *
   * @throws InvalidModelException naming the first setting or tensor that differs
   */
  public static void check(ModelFolder adapter, LlamaConfig config, LoraLayout layout)
      throws IOException {
    if (!adapter.has(PeftConfig.FILE)) {
      throw new InvalidModelException(
          "There is no adapter in %s to start from: it has no %s; set lora.init_from to the folder of a PEFT adapter."
              .formatted(adapter.location(), PeftConfig.FILE));
    }
    String where = adapter.locationOf(PeftConfig.FILE);
    checkLayout(where, found(where, PeftConfig.read(adapter).lora(), config), layout);
    Map<String, long[]> shapes = new LinkedHashMap<>();
    LoraModel.shapes(config, layout).stream()
        .flatMap(List::stream)
        .forEach(shape -> shapes.put(shape.name(), shape.dims()));
    try (SafetensorsIndex index = SafetensorsIndex.open(adapter, SafetensorsIndex.ADAPTER_FILE)) {
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

  private static LoraLayout found(String where, LoraSpec spec, LlamaConfig config) {
    try {
      return LoraLayout.of(spec, config);
    } catch (InvalidModelException e) {
      throw new InvalidModelException(where + ": " + e.getMessage(), e);
    }
  }

  private static void checkLayout(String where, LoraLayout found, LoraLayout run) {
    if (found.spec().isDora() != run.spec().isDora()) {
      throw differs(where, "setting use_dora", found.spec().isDora(), run.spec().isDora());
    }
    List<String> foundTargets = found.plain().targetModules().display();
    List<String> targets = run.plain().targetModules().display();
    if (!foundTargets.equals(targets)) {
      throw differs(where, "target modules", foundTargets, targets);
    }
    for (int layer = 0; layer < run.layers().size(); layer++) {
      for (LinearModule module : run.layers().get(layer).keySet()) {
        LoraLayout.Adapter theirs = found.layers().get(layer).get(module);
        LoraLayout.Adapter ours = run.layers().get(layer).get(module);
        String of = " of " + module.path(layer);
        if (theirs.r() != ours.r()) {
          throw differs(where, "rank" + of, theirs.r(), ours.r());
        }
        if (theirs.scale() != ours.scale()) {
          throw differs(where, "scale" + of, theirs.scale(), ours.scale());
        }
      }
    }
  }

  private static InvalidModelException differs(
      String where, String what, Object found, Object expected) {
    return new InvalidModelException(
        "%s has the %s %s but this run has %s; set the section lora of the configuration as the adapter's is."
            .formatted(where, what, Excerpt.of(found.toString()), Excerpt.of(expected.toString())));
  }
}
