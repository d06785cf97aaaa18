package dev.anneal.bench;

import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.weights.FrozenLayers;
import dev.anneal.training.weights.Placement;
import dev.anneal.training.weights.reader.WeightReader;
import dev.anneal.training.weights.reader.Weights;
import java.util.concurrent.Callable;
import org.bytedeco.pytorch.global.torch_cuda;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** How long a GPU takes to bring a layer together of which a part waits on the host. */
@Command(name = "layer-fetch-benchmark", mixinStandardHelpOptions = true)
final class LayerFetchBenchmark implements Callable<Integer> {
  private static final Device GPU = Device.gpu(0);
  private static final int PASSES = 4;

  @Option(names = "--shape", description = "llama3.1-8b, -70b or -405b")
  private String shape = "llama3.1-8b";

  @Option(names = "--layers", description = "decoder layers")
  private int layers = 8;

  @Option(names = "--base", description = "FP8 or BF16")
  private DType base = DType.FP8;

  @Option(names = "--offload", split = ",", description = "shares of the weights in host memory")
  private double[] ratios = {0.25, 0.5, 1};

  public static void main(String[] arguments) {
    System.exit(new CommandLine(new LayerFetchBenchmark()).execute(arguments));
  }

  @Override
  public Integer call() {
    NativeLibraries.load();
    torch_cuda.set_device((byte) GPU.cuda());
    for (double ratio : ratios) {
      try (TensorScope scope = new TensorScope()) {
        measure(ratio);
      }
    }
    return 0;
  }

  private void measure(double ratio) {
    LlamaConfig config = LlamaConfig.named(shape).withLayers(layers);
    Placement placement = new Placement(GPU, base, DType.BF16, new SingleRank(), ratio);
    long start = System.nanoTime();
    try (WeightReader weights = Weights.open(new ModelSource.Random(config, 1));
        FrozenLayers frozen = FrozenLayers.load(config, placement, weights);
        CudaEvent begin = new CudaEvent(GPU, CudaEvent.Timing.ON);
        CudaEvent end = new CudaEvent(GPU, CudaEvent.Timing.ON)) {
      double loadSeconds = (System.nanoTime() - start) / 1e9;
      pass(frozen);
      begin.record();
      long enqueue = System.nanoTime();
      for (int i = 0; i < PASSES; i++) {
        pass(frozen);
      }
      double hostMicros = (System.nanoTime() - enqueue) / 1e3 / (PASSES * layers);
      end.record();
      end.synchronize();
      double millis = end.millisSince(begin) / (PASSES * layers);
      FrozenLayers.Holdings holdings = frozen.holdings();
      System.out.printf(
          "RESULT offload %.2f: %.3f ms a layer (%.1f GB/s from the host), %.0f us of the host; made in %.1f s; %.2f GB device, %.2f GB pinned, %.2f GB buffers, %.2f GB allocated%n",
          ratio,
          millis,
          FrozenLayers.holdings(config, placement).pinnedBytes() / (double) layers / millis / 1e6,
          hostMicros,
          loadSeconds,
          holdings.deviceBytes() / 1e9,
          holdings.pinnedBytes() / 1e9,
          holdings.bufferBytes() / 1e9,
          new GpuMemory(GPU).allocatedBytes() / 1e9);
    }
  }

  /** Every layer once, round and round, so that each is fetched. */
  private void pass(FrozenLayers frozen) {
    for (int layer = 0; layer < layers; layer++) {
      frozen.use(layer, layers > 2 ? (layer + 1) % layers : FrozenLayers.NONE);
    }
  }
}
