package dev.anneal.training.model.activations;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.model.AutogradMemory;
import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Of four layers, two of which keep everything; bytes that add up to no other sum. */
class StepMemoryTest {
  private static final long BATCH = 1;
  private static final long INPUT = 10;
  private static final long KEPT = 300;
  private static final long FORWARD = 400;
  private static final long BACKWARD = 500;

  @ParameterizedTest
  @CsvSource({
    // nothing is kept yet, and the hidden state is among what it makes
    "100000, 0, 0, embedding, 0, 0, 100000",
    "0, 100000, 0, head, 20, 600, 100010",
    // one layer keeps everything already, and the head is on its way
    "0, 1000, 1000, forward of the last layer, 20, 300, 1410",
    "0, 0, 0, backward of the last layer, 20, 600, 510"
  })
  void theMomentThatTakesTheMostIsTold(
      long embedding,
      long head,
      long expectedHead,
      String moment,
      long inputs,
      long kept,
      long workspace) {
    StepMemory.Layer layer = new StepMemory.Layer(INPUT, KEPT, FORWARD, FORWARD, BACKWARD, false);
    StepMemory.Pieces pieces = new StepMemory.Pieces(BATCH, layer, embedding, head, expectedHead);
    assertThat(StepMemory.of(pieces, KeptActivations.INPUTS.first(2), 4))
        .isEqualTo(
            new StepMemory(moment, inputs, kept, 0, workspace, BATCH, new StepMemory.Pinned(0, 0)));
  }

  /** Two of three on the device: at the end of the forward, and while one is fetched. */
  @ParameterizedTest
  @CsvSource({
    // recomputed, onHost: moment, inputs, kept, onTheWay, workspace; pinned
    "1, 3, backward of the last layer, 10, 600, 600, 510, 512",
    "0, 1, backward of the last layer, 0, 1500, 300, 510, 0",
    "3, 3, backward of a layer that is computed again, 30, 0, 600, 800, 512",
    "0, 6, backward of the last layer, 0, 0, 600, 510, 2048"
  })
  void layersOnTheHostCountWhileTheyAreHere(
      int recomputed,
      int onHost,
      String moment,
      long inputs,
      long kept,
      long onTheWay,
      long workspace,
      long pinned) {
    StepMemory.Layer layer = new StepMemory.Layer(INPUT, KEPT, FORWARD, FORWARD, BACKWARD, false);
    StepMemory.Pieces pieces = new StepMemory.Pieces(BATCH, layer, 0, 0, 0);
    KeptActivations activations = KeptActivations.INPUTS.first(recomputed).onHost(onHost);
    StepMemory step = StepMemory.of(pieces, activations, 6);
    assertThat(step)
        .isEqualTo(
            new StepMemory(
                moment,
                inputs,
                kept,
                onTheWay,
                workspace,
                BATCH,
                new StepMemory.Pinned(0, pinned)));
    assertThat(step.deviceBytes()).isEqualTo(inputs + kept + onTheWay + workspace + BATCH);
  }

  /** Its logits are more than all that it makes after it has let go of the matrix. */
  @Test
  void theReferencesHeadCountsTheMatrixThatIsBroughtTogether() {
    BatchShape batch = new BatchShape(1, 1024);
    StepMemory.Pieces whole = reference(0).of(batch);
    StepMemory.Pieces split = reference(1L << 30).of(batch);
    assertThat(split.head() - whole.head()).isEqualTo(1L << 30);
    assertThat(split.embedding() - whole.embedding()).isEqualTo(1L << 30);
    assertThat(whole.embedding()).isEqualTo(1024L * 4096 * 2);
    assertThat(split.layer()).isEqualTo(whole.layer());
    assertThat(split.expectedHead()).isEqualTo(1L << 30);
    assertThat(whole.expectedHead()).isZero();
    assertThat(reference(1L << 32).of(batch).expectedHead()).as("of a large one").isZero();
  }

  private static AutogradMemory reference(long gathered) {
    LlamaConfig config = LlamaConfig.named("llama3.1-8b");
    return new AutogradMemory(
        config, LoraLayout.none(config), DType.FP8, DType.BF16, false, gathered);
  }
}
