package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.collective.CollectiveException;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.lora.FirstFactors;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.lora.LoraVariant;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.weights.reader.LoadProgress;
import dev.anneal.training.weights.reader.RandomWeights;
import dev.anneal.training.weights.reader.WantedRows;
import dev.anneal.training.weights.reader.WeightReader;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

/** Ranks that wait for one whose work takes longer than their timeout. */
class HeartbeatsTest {
  private static final LlamaConfig CONFIG = TinyModels.config(Embeddings.UNTIED);
  private static final Duration TIMEOUT = Duration.ofSeconds(2);
  private static final long LONGER = 3 * TIMEOUT.toMillis();

  /** One weight of rank 1 takes as long as a large one does, and rank 0 has nothing to do. */
  @Test
  void aLongDecompositionIsWaitedFor() throws Exception {
    AtomicInteger held = new AtomicInteger();
    List<Throwable> thrown =
        GlooRanks.run(
            2,
            TIMEOUT,
            world -> {
              FirstFactors first = factor(world, world.rank() == 1 ? LONGER : 0);
              held.addAndGet(first == null ? 0 : first.values().size());
            });
    assertThat(thrown).containsOnlyNulls();
    // A and B of one module in both layers, on rank 0
    assertThat(held).hasValue(4);
  }

  @Test
  void whatFailsIsThrownAndMissed() throws Exception {
    List<Throwable> thrown =
        GlooRanks.run(
            2,
            TIMEOUT,
            world ->
                Heartbeats.during(
                    Ranks.onCpu(world),
                    () -> {
                      if (world.rank() == 1) {
                        sleep(LONGER);
                        throw new IllegalArgumentException("no numbers");
                      }
                    }));
    assertThat(thrown.get(0)).isInstanceOf(CollectiveException.class);
    assertThat(thrown.get(1)).isInstanceOf(IllegalArgumentException.class);
  }

  /** The factors of one module, each of whose weights takes {@code millis} to read. */
  private static FirstFactors factor(Collectives world, long millis) {
    LoraSpec spec = new LoraSpec(2, 4, 0, false, List.of("q_proj")).as(new LoraVariant.Pissa(0));
    LoraLayout layout = LoraLayout.of(spec, CONFIG);
    try (TensorScope outer = new TensorScope();
        NoGrad noGrad = new NoGrad();
        WeightReader weights = new Slow(new RandomWeights(CONFIG, 1), millis)) {
      Parameters parameters =
          new Parameters(LoraModel.shapes(CONFIG, layout), DType.FP32, Device.CPU, world);
      return new PissaStart(CONFIG, layout, parameters, Ranks.onCpu(world))
          .factor(weights, new LoraVariant.Pissa(0), 3, new RecordingListener());
    }
  }

  private static void sleep(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private record Slow(WeightReader weights, long millis) implements WeightReader {
    @Override
    public Tensor read(String name, long first, long count, DType dtype) {
      sleep(millis);
      return weights.read(name, first, count, dtype);
    }

    @Override
    public void stream(List<WantedRows> wanted, Device device, LoadProgress progress) {
      weights.stream(wanted, device, progress);
    }

    @Override
    public void close() {
      weights.close();
    }
  }
}
