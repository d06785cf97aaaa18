package dev.anneal.training.fused;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.BusyGpu;
import dev.anneal.training.InTensorScope;
import dev.anneal.training.KeptOfForward;
import dev.anneal.training.LoudWeights;
import dev.anneal.training.Rows;
import dev.anneal.training.TinyModels;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.GpuMath;
import dev.anneal.training.kernel.CudaKernels;
import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.Dropout;
import dev.anneal.training.model.EmbeddingNoise;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.Objective;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.TrainableModel;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.weights.Placement;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch_cuda;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The host gives a GPU a whole micro-batch without waiting for what the GPU is still at. */
@Tag("gpu")
@ExtendWith(InTensorScope.class)
class MicroBatchWaitsGpuTest {
  private static final Device GPU = Device.gpu(0);

  /** One layer, whose kernels a stream takes while it is busy. */
  private static final LlamaConfig CONFIG =
      new LlamaConfig(320, 64, 176, 1, 8, 2, 8, 1e-5, null, 10_000, 512, false, null, List.of());

  private static final int WARM_UPS = 2;

  @BeforeEach
  void deterministic() {
    GpuMath.deterministic();
  }

  @ParameterizedTest
  @CsvSource({"BF16, COMPUTE", "FP8, COMPUTE", "FP8, FP8"})
  void throughTheFusedLayers(DType stored, Matmul matmul) {
    try (Kernels kernels = new CudaKernels(GPU);
        LoraModel model = lora(stored, DType.BF16)) {
      for (KeptActivations activations : onDevice()) {
        Llama llama = FusedLlama.of(model, GPU, kernels, matmul, activations);
        assertDoesNotWait(activations.toString(), llama, Dropout.NONE);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"FP32, FP32, 0", "BF16, BF16, 0.3", "FP8, BF16, 0.3"})
  void throughTheReference(DType stored, DType compute, double dropout) {
    try (LoraModel model = lora(stored, compute)) {
      assertReferenceDoesNotWait(model, compute, new Dropout(dropout, 5));
    }
  }

  @ParameterizedTest
  @CsvSource({"FP32", "BF16"})
  void whereEveryWeightTrains(DType compute) {
    try (TrainableModel model =
        TinyModels.full(CONFIG, new LoudWeights(1), compute, GPU, new SingleRank())) {
      assertReferenceDoesNotWait(model, compute, Dropout.NONE);
    }
  }

  @Test
  void withNoiseSmoothedLabelsAndALossPerRow() {
    Objective objective = new Objective(Objective.Per.ROW, 0.1, 5);
    EmbeddingNoise noise = new EmbeddingNoise(5, 1, 2);
    KeptActivations activations = KeptActivations.INPUTS;
    try (Kernels kernels = new CudaKernels(GPU);
        LoraModel model = lora(DType.FP8, DType.BF16)) {
      Llama fused =
          FusedLlama.of(
              model, GPU, kernels, FusedLlama.Settings.of(Matmul.FP8, activations).with(objective));
      assertDoesNotWait("fused", fused, Dropout.NONE, noise);
      Llama reference = Llama.reference(model, GPU, DType.BF16, activations, objective);
      assertDoesNotWait("reference", reference, Dropout.NONE, noise);
    }
  }

  /**
   * Inputs on the host are waited for at the end of a micro-batch, so that the next has their room.
   */
  private static List<KeptActivations> onDevice() {
    return KeptOfForward.alike().stream()
        .filter(activations -> !activations.equals(KeptActivations.INPUTS_ON_HOST))
        .toList();
  }

  private static void assertReferenceDoesNotWait(
      TrainableModel model, DType compute, Dropout dropout) {
    for (KeptActivations activations : onDevice()) {
      Llama llama = Llama.reference(model, GPU, compute, activations);
      assertDoesNotWait(activations.toString(), llama, dropout);
    }
  }

  private static void assertDoesNotWait(String what, Llama llama, Dropout dropout) {
    assertDoesNotWait(what, llama, dropout, EmbeddingNoise.NONE);
  }

  private static void assertDoesNotWait(
      String what, Llama llama, Dropout dropout, EmbeddingNoise noise) {
    TokenBatch batch = TokenBatch.of(Rows.random(CONFIG.vocabSize(), 9, 17, 5));
    double expected = 0;
    // kernels are compiled, and allocators have what they need
    for (int i = 0; i < WARM_UPS; i++) {
      expected = llama.forwardBackward(batch, dropout, noise, Llama.UNNOTICED).item_double();
    }
    try (BusyGpu busy = new BusyGpu(GPU)) {
      torch_cuda.device_synchronize();
      busy.hold();
      long start = System.nanoTime();
      busy.begin();
      Tensor loss = llama.forwardBackward(batch, dropout, noise, Llama.UNNOTICED);
      double millis = (System.nanoTime() - start) / 1e6;
      assertThat(busy.isDone())
          .as("%s: the host came back after %.0f ms, having waited for the GPU", what, millis)
          .isFalse();
      busy.end();
      assertThat(loss.item_double()).as(what).isEqualTo(expected);
    }
  }

  private static LoraModel lora(DType stored, DType compute) {
    LoraSpec spec = new LoraSpec(8, 16, 0, false, List.of("all-linear"));
    Placement placement = new Placement(GPU, stored, compute, new SingleRank(), 0);
    return TinyModels.lora(CONFIG, new LoudWeights(1), spec, new LoudWeights(2), placement);
  }
}
