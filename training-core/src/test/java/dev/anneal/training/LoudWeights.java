package dev.anneal.training;

import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Seeds;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.reader.LoadProgress;
import dev.anneal.training.weights.reader.WantedRows;
import dev.anneal.training.weights.reader.WeightReader;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Random weights large enough for every part of a small model to matter; norms around one. */
public record LoudWeights(long seed) implements WeightReader {

  @Override
  public Tensor read(String name, long first, long count, DType dtype) {
    SplittableRandom random = new SplittableRandom(Seeds.mix(seed, name.hashCode()));
    double mean = name.contains("norm") ? 1 : 0;
    double[] values = new double[(int) (first + count)];
    Arrays.setAll(values, i -> random.nextGaussian(mean, 0.3));
    try (TensorScope scope = new TensorScope()) {
      Tensor part = Tensors.of(values).narrow(0, first, count);
      return scope.keep(part.to(ScalarType.Float).to(dtype.scalarType()));
    }
  }

  @Override
  public void stream(List<WantedRows> wanted, Device device, LoadProgress progress) {
    for (WantedRows rows : wanted) {
      try (TensorScope scope = new TensorScope()) {
        long columns = rows.columns();
        Tensor values =
            read(rows.name(), rows.first() * columns, rows.count() * columns, DType.FP32);
        rows.sink().accept(0, Tensors.to(device, values.view(rows.count(), columns)));
      }
    }
  }

  @Override
  public void close() {}
}
