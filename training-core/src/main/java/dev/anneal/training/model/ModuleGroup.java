package dev.anneal.training.model;

import dev.anneal.training.model.config.LlamaConfig;
import java.util.Arrays;
import java.util.List;

/**
 * Linear modules that read the same input. Their weights lie end to end, so that one product
 * computes them all.
 */
public enum ModuleGroup {
  QKV,
  O,
  GATE_UP,
  DOWN;

  /** In the order of their rows. */
  public List<LinearModule> modules() {
    return switch (this) {
      case QKV -> List.of(LinearModule.Q_PROJ, LinearModule.K_PROJ, LinearModule.V_PROJ);
      case O -> List.of(LinearModule.O_PROJ);
      case GATE_UP -> List.of(LinearModule.GATE_PROJ, LinearModule.UP_PROJ);
      case DOWN -> List.of(LinearModule.DOWN_PROJ);
    };
  }

  /** Rows of the joined weight {@code [out, in]}. */
  public int outFeatures(LlamaConfig config) {
    return modules().stream().mapToInt(m -> m.outFeatures(config)).sum();
  }

  /** Columns of the joined weight {@code [out, in]}. */
  public int inFeatures(LlamaConfig config) {
    return modules().get(0).inFeatures(config);
  }

  /** Elements of the joined weight. */
  public long elements(LlamaConfig config) {
    return (long) outFeatures(config) * inFeatures(config);
  }

  /** Elements of all weights of a layer. */
  public static long elementsOfLayer(LlamaConfig config) {
    return Arrays.stream(values()).mapToLong(group -> group.elements(config)).sum();
  }
}
