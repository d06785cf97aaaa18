package dev.anneal.training.fused;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.LoudWeights;
import dev.anneal.training.Rows;
import dev.anneal.training.TinyModels;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.GpuMath;
import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.fused.FusedLlama.Settings;
import dev.anneal.training.kernel.CudaKernels;
import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.Dropout;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.product.Products;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.weights.Placement;
import dev.anneal.training.weights.reader.WeightReader;
import dev.anneal.training.weights.reader.Weights;
import java.util.List;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch_cuda;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The more layers are computed again or wait in host memory, the less memory a micro-batch takes,
 * and no bit changes.
 */
@Tag("gpu")
@ExtendWith(InTensorScope.class)
class RecomputedLayersGpuTest {
  private static final Device GPU = Device.gpu(0);
  private static final int LAYERS = 8;

  private static final LlamaConfig CONFIG =
      new LlamaConfig(
          1024, 1024, 3584, LAYERS, 8, 2, 128, 1e-5, null, 10_000, 4096, false, null, List.of());

  /** What an allocator may round. */
  private static final long TOLERANCE = 1L << 20;

  @BeforeEach
  void deterministic() {
    GpuMath.deterministic();
  }

  @Test
  void inTheFusedLayers() {
    try (Kernels kernels = new CudaKernels(GPU);
        LoraModel model = model()) {
      assertMemoryFalls(
          "fused",
          model,
          activations -> FusedLlama.of(model, GPU, kernels, Matmul.COMPUTE, activations));
    }
  }

  @Test
  void inTheReference() {
    try (LoraModel model = model()) {
      assertMemoryFalls(
          "autograd", model, activations -> Llama.reference(model, GPU, DType.BF16, activations));
    }
  }

  /**
   * Both libraries' attention, whose tapes differ; the more layers wait there, the less is here.
   */
  @ParameterizedTest
  @EnumSource(AttentionLibrary.class)
  void inHostMemory(AttentionLibrary library) {
    try (Kernels kernels = new CudaKernels(GPU);
        LoraModel model = model();
        FusedAttention attention =
            FusedAttention.of(library, GPU, line -> System.out.println(line))) {
      TokenBatch batch = batch();
      GpuMemory memory = new GpuMemory(GPU);
      Tensor gradient = model.parameters().ownGradient();
      Tensor expected = null;
      double loss = 0;
      long before = 0;
      for (int recomputed : new int[] {0, 2}) {
        for (int onHost = 0; onHost <= LAYERS - recomputed; onHost++) {
          KeptActivations activations = KeptActivations.INPUTS.first(recomputed).onHost(onHost);
          Settings settings = Settings.of(Matmul.COMPUTE, activations);
          Llama llama = FusedLlama.of(model, GPU, kernels, settings, attention, Products.on(GPU));
          // the second time what is pinned is there, and the host is further ahead
          for (int time = 0; time < 2; time++) {
            gradient.zero_();
            torch_cuda.device_synchronize();
            long held = memory.allocatedBytes();
            memory.resetPeak();
            double found =
                llama.forwardBackward(batch, Dropout.NONE, Llama.UNNOTICED).item_double();
            long peak = memory.peakAllocatedBytes() - held;
            System.out.printf("%s, %s: %.1f MB%n", library, activations, peak / 1e6);
            if (expected == null) {
              expected = gradient.clone();
              loss = found;
            }
            assertThat(found).as("loss, %s", activations).isEqualTo(loss);
            assertThat(gradient.equal(expected)).as("gradient, %s", activations).isTrue();
            // two of them are here in any case; without others the peak is another moment, for
            // which the last layer, that leaves tokens out, is none beside one computed again
            if (onHost > 2 && activations.keeping(LAYERS) > Math.min(recomputed, 1)) {
              assertThat(before - peak)
                  .as("bytes less than with one layer fewer there, %s", activations)
                  .isCloseTo(layerBytes(batch), within(layerBytes(batch) / 4));
            }
            if (time == 1) {
              before = peak;
            }
          }
        }
      }
    }
  }

  /** The large ones of what a layer keeps. */
  private static long layerBytes(TokenBatch batch) {
    long columns = 5 * 1024 + (8 + 2 * 2) * 128 + 2 * 3584;
    return batch.tokens() * columns * DType.BF16.bytes();
  }

  private static TokenBatch batch() {
    return TokenBatch.of(Rows.random(CONFIG.vocabSize(), 3, 2048, 1500, 500));
  }

  private static void assertMemoryFalls(
      String what, LoraModel model, Function<KeptActivations, Llama> llamas) {
    GpuMemory memory = new GpuMemory(GPU);
    TokenBatch batch = batch();
    Tensor gradient = model.parameters().ownGradient();
    Tensor expected = null;
    double loss = 0;
    long all = 0;
    // the first layer computed again adds its input where all others live until the end
    long allowance = TOLERANCE + (long) batch.tokens() * CONFIG.hiddenSize() * DType.BF16.bytes();
    long before = Long.MAX_VALUE / 2;
    for (int recomputed = 0; recomputed <= LAYERS; recomputed++) {
      Llama llama = llamas.apply(KeptActivations.INPUTS.first(recomputed));
      gradient.zero_();
      torch_cuda.device_synchronize();
      long held = memory.allocatedBytes();
      memory.resetPeak();
      double found = llama.forwardBackward(batch, Dropout.NONE, Llama.UNNOTICED).item_double();
      long peak = memory.peakAllocatedBytes() - held;
      System.out.printf(
          "%s, %s of %s layers computed again: %.1f MB%n", what, recomputed, LAYERS, peak / 1e6);
      if (expected == null) {
        expected = gradient.clone();
        loss = found;
        all = peak;
      }
      assertThat(found).as("loss, %s layers computed again", recomputed).isEqualTo(loss);
      assertThat(gradient.equal(expected))
          .as("the same gradient bit for bit, %s layers computed again", recomputed)
          .isTrue();
      assertThat(peak)
          .as("bytes at most, %s layers computed again", recomputed)
          .isLessThanOrEqualTo(before + allowance);
      before = peak;
    }
    assertThat(before).as("bytes at most, all computed again").isLessThan(all / 2);
  }

  private static LoraModel model() {
    LoraSpec spec = new LoraSpec(8, 16, 0, false, List.of("all-linear"));
    Placement placement = new Placement(GPU, DType.BF16, DType.BF16, new SingleRank(), 0);
    try (WeightReader base = Weights.open(new ModelSource.Random(CONFIG, 1))) {
      return TinyModels.lora(CONFIG, base, spec, new LoudWeights(2), placement);
    }
  }
}
