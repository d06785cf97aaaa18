package dev.anneal.training.weights;

import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.LlamaConfig;
import java.util.EnumMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** How a decoder layer's seven matrices lie end to end in one flat buffer. */
final class LayerLayout {

  /** One matrix in the buffer. */
  record Slot(long offset, long rows, long columns) {
    long numel() {
      return rows * columns;
    }
  }

  private final Map<LinearModule, Slot> slots = new EnumMap<>(LinearModule.class);
  private final long numel;

  LayerLayout(LlamaConfig config) {
    long offset = 0;
    for (LinearModule module : LinearModule.values()) {
      Slot slot = new Slot(offset, module.outFeatures(config), module.inFeatures(config));
      slots.put(module, slot);
      offset += slot.numel();
    }
    numel = offset;
  }

  /** Elements of the buffer. */
  long numel() {
    return numel;
  }

  Map<LinearModule, Slot> slots() {
    return slots;
  }

  /** The matrices as views of {@code flat}, which holds at least {@link #numel} elements. */
  Map<LinearModule, Tensor> views(Tensor flat) {
    Map<LinearModule, Tensor> views = new EnumMap<>(LinearModule.class);
    slots.forEach(
        (module, slot) ->
            views.put(
                module,
                flat.narrow(0, slot.offset(), slot.numel()).view(slot.rows(), slot.columns())));
    return views;
  }
}
