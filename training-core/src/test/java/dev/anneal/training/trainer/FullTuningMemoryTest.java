package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.model.FullModel;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import org.junit.jupiter.api.Test;

class FullTuningMemoryTest {
  private static final LlamaConfig LARGE = LlamaConfig.named("llama3.1-8b");
  private static final long EIGHTY_GB = 80_000_000_000L;

  /** In bf16: 4 bytes of fp32 weights, 4 and 4 of moments, 4 of gradient, 2 to compute with. */
  @Test
  void oneGpuTakesEighteenBytesAWeight() {
    assertThat(FullModel.count(LARGE)).isEqualTo(8_030_261_248L);
    long bytes = MemoryTable.trained(LARGE, DType.BF16, 1).total();
    assertThat(bytes).isEqualTo(18 * 8_030_261_248L);
    assertThat(FullTuningMemory.lacking(LARGE, DType.BF16, 1, bytes)).isEmpty();
    assertThat(FullTuningMemory.lacking(LARGE, DType.BF16, 1, bytes - 1)).isPresent();
  }

  /**
   * In bf16 three GPUs hold 2 bytes a weight to compute with, a third of 18 (those again, fp32
   * values, gradient and moments), and the gradients of two buckets of 128,256 times 4,096 weights
   * and the norm's, in fp32: 68.4 GB. On two it is 92.5.
   */
  @Test
  void severalGpusHoldAPartOfTheGradient() {
    long bucket = 128_257L * 4096;
    assertThat(MemoryTable.trained(LARGE, DType.BF16, 2).total())
        .isEqualTo(2 * 8_030_261_248L + 18 * 8_030_261_248L / 2 + 2 * 4 * bucket);
  }

  @Test
  void theSentenceSaysHowManyGpusAreEnough() {
    assertThat(FullTuningMemory.lacking(LARGE, DType.BF16, 1, EIGHTY_GB))
        .hasValue(
            "training.mode is full, and 8.0 billion weights with their gradient and AdamW's moments take 144.5 GB on one GPU, but a GPU has 80.0 GB: take 3 GPUs or more, set training.mode=lora, or train a smaller model.");
    assertThat(FullTuningMemory.lacking(LARGE, DType.BF16, 2, EIGHTY_GB)).isPresent();
    assertThat(FullTuningMemory.lacking(LARGE, DType.BF16, 3, EIGHTY_GB)).isEmpty();
  }

  @Test
  void noNumberOfGpusIsNamedWhereEachHasToHoldTooMuch() {
    assertThat(
            FullTuningMemory.lacking(LlamaConfig.named("llama3.1-70b"), DType.BF16, 8, EIGHTY_GB))
        .hasValueSatisfying(
            sentence ->
                assertThat(sentence)
                    .contains("70.6 billion", "on each of 8 GPUs", ": set training.mode=lora"));
  }
}
