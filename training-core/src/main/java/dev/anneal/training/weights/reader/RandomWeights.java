package dev.anneal.training.weights.reader;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.TensorNames;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Seeds;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * Weights of a model's shape made from a seed, as Hugging Face initializes them: normal with
 * deviation 0.02, norms at one. A tensor's values depend on the seed and its name alone, and on
 * whether the host or a GPU makes them. Blocks of rows have random streams of their own, so that
 * rows can be made without those before them.
 */
public final class RandomWeights implements WeightReader {
  private static final double INITIALIZER_RANGE = 0.02;
  private static final long BLOCK_ROWS = 128;

  private final Map<String, long[]> shapes;
  private final long seed;

  public RandomWeights(LlamaConfig config, long seed) {
    this.shapes = TensorNames.shapes(config);
    this.seed = seed;
  }

  @Override
  public Tensor read(String name, long first, long count, DType dtype) {
    long[] shape = shapes.get(name);
    long columns = shape[shape.length - 1];
    long firstRow = first / columns;
    long rows = (first + count + columns - 1) / columns - firstRow;
    try (TensorScope scope = new TensorScope()) {
      Tensor values = Tensors.empty(dtype.scalarType(), rows, columns);
      WantedRows.Sink sink = (row, block) -> values.narrow(0, row, block.size(0)).copy_(block);
      make(new WantedRows(name, firstRow, rows, columns, sink), Device.CPU);
      return scope.keep(
          values.view(rows * columns).narrow(0, first - firstRow * columns, count).clone());
    }
  }

  @Override
  public void stream(List<WantedRows> wanted, Device device, LoadProgress progress) {
    long total = wanted.stream().mapToLong(RandomWeights::bytes).sum();
    long done = 0;
    for (WantedRows rows : wanted) {
      make(rows, device);
      done += bytes(rows);
      progress.advanced(done, total);
    }
    try (CudaEvent made = new CudaEvent(device)) {
      made.record();
      made.synchronize();
    }
  }

  private static long bytes(WantedRows rows) {
    return rows.count() * rows.columns() * DType.FP32.bytes();
  }

  private void make(WantedRows wanted, Device device) {
    long end = wanted.first() + wanted.count();
    for (long block = wanted.first() / BLOCK_ROWS; block * BLOCK_ROWS < end; block++) {
      long from = Math.max(wanted.first(), block * BLOCK_ROWS);
      long to = Math.min(end, (block + 1) * BLOCK_ROWS);
      try (TensorScope scope = new TensorScope()) {
        Tensor rows = block(wanted, block, device);
        wanted
            .sink()
            .accept(from - wanted.first(), rows.narrow(0, from - block * BLOCK_ROWS, to - from));
      }
    }
  }

  /** {@code [rows of the block, columns]} fp32. */
  private Tensor block(WantedRows wanted, long block, Device device) {
    long[] shape = shapes.get(wanted.name());
    if (shape.length == 1) {
      return Tensors.ones(device, ScalarType.Float, 1, shape[0]);
    }
    long rows = Math.min(BLOCK_ROWS, shape[0] - block * BLOCK_ROWS);
    Tensor values = Tensors.empty(device, ScalarType.Float, rows, wanted.columns());
    long blockSeed = Seeds.mix(seed, wanted.name().hashCode(), block);
    return values.normal_(0, INITIALIZER_RANGE, generator(device, blockSeed));
  }

  private static GeneratorOptional generator(Device device, long seed) {
    if (!device.isGpu()) {
      return new GeneratorOptional(torch.make_generator_cpu(seed));
    }
    Generator generator = torch_cuda.make_generator_cuda((byte) device.cuda());
    generator.set_current_seed(seed);
    return new GeneratorOptional(generator);
  }

  @Override
  public void close() {}
}
