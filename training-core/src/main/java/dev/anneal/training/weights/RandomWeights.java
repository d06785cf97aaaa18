package dev.anneal.training.weights;

import dev.anneal.training.model.LlamaConfig;
import dev.anneal.training.model.TensorNames;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Seeds;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Weights of a model's shape made from a seed, as Hugging Face initializes them: normal with
 * deviation 0.02, norms at one. A tensor's values depend on the seed and its name alone.
 */
final class RandomWeights implements WeightReader {
  private static final double INITIALIZER_RANGE = 0.02;

  private final LlamaConfig config;
  private final long seed;

  RandomWeights(LlamaConfig config, long seed) {
    this.config = config;
    this.seed = seed;
  }

  @Override
  public Tensor read(String name, long first, long count, DType dtype) {
    long[] shape = TensorNames.shapes(config).get(name);
    if (shape.length == 1) {
      return Tensors.ones(dtype.scalarType(), count);
    }
    try (TensorScope scope = new TensorScope()) {
      Tensor whole = Tensors.empty(ScalarType.Float, shape[0] * shape[1]);
      Tensors.normal(whole, INITIALIZER_RANGE, Seeds.mix(seed, name.hashCode()));
      return scope.keep(whole.narrow(0, first, count).to(dtype.scalarType()).clone());
    }
  }

  @Override
  public void close() {}
}
