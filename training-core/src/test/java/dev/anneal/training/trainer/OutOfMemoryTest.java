package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.DeviceMemoryException;
import dev.anneal.training.fused.FusedLlama;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import java.util.List;
import org.junit.jupiter.api.Test;

class OutOfMemoryTest {
  private static final LlamaConfig CONFIG = LlamaConfig.named("llama3.1-8b");
  private static final LoraSpec LORA = new LoraSpec(16, 16, 0, false, List.of("all-linear"));

  @Test
  void theRemedyGoesFromWhatLayersKeepToTheBatch() {
    assertThat(lora(DType.BF16, KeptActivations.ALL)).contains("Set activations.checkpoint=layer.");
    assertThat(lora(DType.BF16, KeptActivations.INPUTS.first(12)))
        .contains("Raise activations.checkpoint (now 12 of 32 layers).");
    assertThat(lora(DType.BF16, KeptActivations.ALL.onHost(8)))
        .contains("Set activations.checkpoint=layer.");
    assertThat(lora(DType.BF16, KeptActivations.INPUTS.first(12).onHost(8)))
        .contains("Raise activations.checkpoint (now 12 of 24 layers).");
    assertThat(lora(DType.BF16, KeptActivations.INPUTS.first(24).onHost(8)))
        .contains("Set base_weights.dtype=fp8.");
    assertThat(lora(DType.BF16, KeptActivations.INPUTS)).contains("Set base_weights.dtype=fp8.");
    assertThat(lora(DType.FP8, KeptActivations.INPUTS))
        .contains("Raise base_weights.offload_ratio (now 0.0).");
    TrainingSpec.Weights whole = Recipe.whole(DType.FP8).withExactEdges(1);
    assertThat(lora(whole, KeptActivations.INPUTS)).contains("Set base_weights.exact_edges=0.");
    assertThat(lora(whole.with(FusedLlama.Columns.KEPT), KeptActivations.INPUTS))
        .contains("Set base_weights.both_layouts=false.");
  }

  @Test
  void tellsWhatAllWeightsTakeAndNothingThatIsNotThere() {
    Recipe full = Recipe.full(1, 1e-4).computeDtype(DType.BF16);
    assertThat(told(full.activations(KeptActivations.INPUTS).spec()))
        .startsWith("rank 0, step 3, layer 2, backward: CPU is out of memory")
        .contains("weights, gradient and optimizer hold 144.5 GB; the rest is activations.")
        .endsWith("Set activations.offload=true.")
        .doesNotContain("frozen", "base_weights");
    assertThat(told(full.activations(KeptActivations.INPUTS_ON_HOST).spec()))
        .endsWith("Lower training.micro_batch_size or data.max_length.");
  }

  /** Pages that are mapped for several GPUs are not libtorch's. */
  @Test
  void whatIsTakenBesideLibtorchIsTensorsToo() {
    Ranks ranks = Ranks.onCpu(new SingleRank());
    ranks.mapped().took(12_000_000_000L);
    Exception error = new DeviceMemoryException(3_000_000_000L, "weights");
    assertThat(OutOfMemory.caused(error)).isTrue();
    TrainingSpec spec = Recipe.full(1, 1e-4).computeDtype(DType.BF16).spec();
    assertThat(new OutOfMemory(spec, CONFIG, ranks).explain(error).getMessage())
        .startsWith("rank 0, loading: CPU is out of memory")
        .contains("of which tensors held 12.0 GB;");
  }

  private static String lora(DType stored, KeptActivations activations) {
    return lora(Recipe.whole(stored), activations);
  }

  private static String lora(TrainingSpec.Weights weights, KeptActivations activations) {
    Recipe full = Recipe.full(1, 1e-4);
    TrainingSpec start = full.activations(activations).spec();
    return told(
        new TrainingSpec(
            TrainingSpec.Mode.LORA,
            LORA,
            weights,
            new TrainingSpec.Compute(DType.BF16, Matmul.COMPUTE, activations),
            start.batches(),
            start.updates(),
            0,
            TrainingSpec.Evaluation.atBothEnds(0)));
  }

  private static String told(TrainingSpec spec) {
    Exception error =
        new IllegalStateException(
            "rank 0, step 3, layer 2, backward: CUDA out of memory. Tried to allocate 2.00 GiB");
    return new OutOfMemory(spec, CONFIG, Ranks.onCpu(new SingleRank())).explain(error).getMessage();
  }
}
