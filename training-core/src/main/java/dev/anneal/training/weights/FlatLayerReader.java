package dev.anneal.training.weights;

import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;

/** Reads any part of a decoder layer's flat buffer from the files, and no more than that part. */
record FlatLayerReader(WeightReader weights, LayerLayout layout, DType dtype) {

  /**
   * Elements {@code [first, first + count)} of the buffer of layer {@code layer}; what lies beyond
   * its end is zero.
   */
  Tensor read(int layer, long first, long count) {
    Tensor part = Tensors.zeros(dtype.scalarType(), count);
    layout
        .slots()
        .forEach(
            (module, slot) -> {
              long from = Math.max(first, slot.offset());
              long to = Math.min(first + count, slot.offset() + slot.numel());
              if (from < to) {
                try (TensorScope scope = new TensorScope()) {
                  Tensor read =
                      weights.read(
                          module.weightName(layer), from - slot.offset(), to - from, dtype);
                  part.narrow(0, from - first, to - from).copy_(read);
                }
              }
            });
    return part;
  }
}
