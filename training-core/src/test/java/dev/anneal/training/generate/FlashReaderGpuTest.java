package dev.anneal.training.generate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Deviation;
import dev.anneal.training.InTensorScope;
import dev.anneal.training.LoudWeights;
import dev.anneal.training.TinyModels;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.fused.FusedLlama;
import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.Placement;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The kernel over a cache against one sequence after the other, and whole models on a GPU. */
@Tag("gpu")
@ExtendWith(InTensorScope.class)
class FlashReaderGpuTest {
  private static final Device GPU = Device.gpu(0);
  private static final int HEADS = 8;
  private static final int KV_HEADS = 2;
  private static final int HEAD_DIM = 64;
  private static final int PLACES = 1000;

  @BeforeEach
  void bind() {
    Gpus.bind(GPU);
  }

  /** Rows lie apart, in any order, with room behind them that holds no numbers. */
  @ParameterizedTest
  @CsvSource({"1, 1, 1", "1, 5, 300", "7, 7, 7", "7, 1, 129", "100, 64, 1"})
  void equalsOneRowAfterTheOther(int first, int second, int third) {
    List<CacheReader.Row> rows =
        List.of(
            new CacheReader.Row(0, first, 600, first + 40),
            new CacheReader.Row(first, second, 0, second),
            new CacheReader.Row(first + second, third, 100, third + 150));
    Tensor keys = random(1, PLACES, KV_HEADS, HEAD_DIM);
    Tensor values = random(2, PLACES, KV_HEADS, HEAD_DIM);
    for (CacheReader.Row row : rows) {
      long end = row.keyStart() + row.keys();
      keys.narrow(0, end, 5).fill_(Tensors.scalar(Double.NaN));
      values.narrow(0, end, 5).fill_(Tensors.scalar(Double.NaN));
    }
    Tensor q = random(3, first + second + third, HEADS, HEAD_DIM);
    Tensor expected = new PlainReader().on(rows, q).attend(q, keys, values);
    Tensor found = new FlashReader().on(rows, q).attend(q, keys, values);
    assertThat(Tensors.shape(found)).containsExactly(Tensors.shape(expected));
    assertThat(Deviation.relative(found.to(ScalarType.Float), expected.to(ScalarType.Float)))
        .isLessThan(1e-2);
  }

  @ParameterizedTest
  @CsvSource({
    "BF16, COMPUTE, 0",
    "FP8, COMPUTE, 0",
    "FP8, FP8, 0",
    "BF16, COMPUTE, 0.5",
    "FP8, FP8, 0.5",
    "FP8, FP8, 1"
  })
  void equalsComputationFromScratch(DType stored, Matmul matmul, double offloadRatio) {
    try (Kernels kernels = Kernels.on(GPU);
        LoraModel model = model(stored, DType.BF16, offloadRatio)) {
      Llama llama = FusedLlama.of(model, GPU, kernels, matmul, KeptActivations.INPUTS);
      assertEqualsComputationFromScratch(llama, 0.3);
    }
  }

  @Test
  void equalsComputationFromScratchInFp32() {
    try (LoraModel model = model(DType.FP32, DType.FP32, 0)) {
      assertEqualsComputationFromScratch(
          Llama.reference(model, GPU, DType.FP32, KeptActivations.INPUTS), 1e-3);
    }
  }

  private static void assertEqualsComputationFromScratch(Llama llama, double tolerance) {
    Generator generator = new Generator(llama, new SingleRank(), () -> {}, Models.SMALL);
    List<Prompt> prompts = new ArrayList<>(Models.prompts(1, 9, 4, 21, 7));
    for (GenerationSpec spec : List.of(Models.greedy(20), Models.sampled(20, 1))) {
      List<Completion> completions =
          generator.generate(prompts, spec, StopStrings.NONE, GenerationListener.NONE);
      assertThat(completions).allMatch(completion -> completion.tokens().length == 20);
      if (spec.sampling().isGreedy()) {
        for (Completion completion : completions) {
          Tensor logits = Models.recomputed(llama, completion).cpu();
          assertThat(Models.shortfall(logits, completion.tokens())).isLessThan(tolerance);
        }
      }
    }
  }

  /** Of shapes that the kernels of a GPU multiply in FP8. */
  private static LoraModel model(DType stored, DType compute, double offloadRatio) {
    LlamaConfig config =
        new LlamaConfig(48, 64, 128, 3, 4, 2, 16, 1e-5, null, 10_000, 64, false, null, List.of());
    return TinyModels.lora(
        config,
        new LoudWeights(1),
        new LoraSpec(16, 16, 0, false, List.of("all-linear")),
        new LoudWeights(2),
        new Placement(GPU, stored, compute, new SingleRank(), offloadRatio));
  }

  private static Tensor random(long seed, long... shape) {
    Tensor values = Tensors.empty(GPU, ScalarType.Float, shape);
    return Tensors.normal(values, 1, seed).to(ScalarType.BFloat16);
  }
}
