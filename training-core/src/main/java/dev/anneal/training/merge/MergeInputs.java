package dev.anneal.training.merge;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.lora.AdapterCheck;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.PeftConfig;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelCheck;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A base model and an adapter of it.
 *
 * @param config the model's shape
 * @param layout the adapters, their ranks and scales, as {@code adapter_config.json} has them
 * @param notes sentences on what the user may not expect of the base model
 */
public record MergeInputs(
    ModelFolder base,
    ModelFolder adapter,
    LlamaConfig config,
    LoraLayout layout,
    List<String> notes) {

  /**
   * What is added to a weight: {@code scale * B A}.
   *
   * @param a name of {@code A [r, in]} in the adapter
   * @param b name of {@code B [out, r]}
   * @param magnitude name of the lengths {@code [out]} that the sum's rows are brought to; {@code
   *     null} where they stay as they are
   */
  record Delta(String a, String b, String magnitude, int r, double scale) {}

  /**
   * Reads the configurations and the headers of all weights, and no weight.
   *
   * @throws InvalidModelException if one is not usable, or the adapter is not one of this model
   */
  public static MergeInputs check(ModelFolder base, ModelFolder adapter) throws IOException {
    PeftConfig peft = peft(adapter);
    ModelCheck.Checked model = ModelCheck.check(base);
    MergedConfig.requirePlain(base);
    LoraLayout layout;
    try {
      layout = LoraLayout.of(peft.lora(), model.config());
      AdapterCheck.check(adapter, model.config(), layout);
    } catch (InvalidModelException e) {
      throw new InvalidModelException(
          "The adapter in %s does not fit the model in %s: %s"
              .formatted(adapter.location(), base.location(), e.getMessage()),
          e);
    }
    return new MergeInputs(base, adapter, model.config(), layout, model.notes());
  }

  /** The same without a check, on an executor. */
  public static MergeInputs checked(ModelFolder base, ModelFolder adapter) throws IOException {
    LlamaConfig config = LlamaConfig.read(base);
    LoraLayout layout = LoraLayout.of(PeftConfig.read(adapter).lora(), config);
    return new MergeInputs(base, adapter, config, layout, List.of());
  }

  private static PeftConfig peft(ModelFolder adapter) throws IOException {
    if (!adapter.has(PeftConfig.FILE)) {
      throw new InvalidModelException(
          "There is no adapter in %s: it has no %s; name the folder of a PEFT adapter, such as the adapter/ of a run."
              .formatted(adapter.location(), PeftConfig.FILE));
    }
    return PeftConfig.read(adapter);
  }

  /** What is added to each weight, by its name. */
  Map<String, Delta> deltas() {
    Map<String, Delta> deltas = new LinkedHashMap<>();
    for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
      for (var adapted : layout.layers().get(layer).entrySet()) {
        LinearModule module = adapted.getKey();
        deltas.put(
            module.weightName(layer),
            new Delta(
                module.loraAName(layer),
                module.loraBName(layer),
                layout.spec().isDora() ? module.loraMagnitudeName(layer) : null,
                adapted.getValue().r(),
                adapted.getValue().scale()));
      }
    }
    return deltas;
  }
}
