package dev.anneal.training.fused;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.Deviation;
import dev.anneal.training.InTensorScope;
import dev.anneal.training.LoudWeights;
import dev.anneal.training.Rows;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.fused.FusedLlama.Columns;
import dev.anneal.training.fused.FusedLlama.Settings;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.kernel.PlainKernels;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.Dropout;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.Objective;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.weights.Placement;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the fused layers can be told to do faster, with FP8 weights and the kernels' twins. */
@ExtendWith(InTensorScope.class)
class FusedSettingsTest {
  private record Step(double loss, Tensor gradient) {}

  @Test
  void columnsThatAreKeptChangeNoBit() {
    LoraModel model = model(0);
    Step made = step(model, Columns.MADE, HeadProducts.EXACT);
    Step kept = step(model, Columns.KEPT, HeadProducts.EXACT);

    assertThat(kept.loss()).isEqualTo(made.loss());
    assertThat(kept.gradient().equal(made.gradient())).isTrue();
  }

  /** Twice, since the second step finds what the first has kept. */
  @Test
  void columnsAreThoseOfTheirLayerInEveryStep() {
    LoraModel model = model(0);
    Step made = step(model, Columns.MADE, HeadProducts.EXACT);
    Llama llama = llama(model, Columns.KEPT, HeadProducts.EXACT);
    step(model, llama);

    assertThat(step(model, llama).gradient().equal(made.gradient())).isTrue();
  }

  @Test
  void aHeadInFp8BackwardLeavesTheLossAsItIs() {
    LoraModel model = model(0);
    Step exact = step(model, Columns.MADE, HeadProducts.EXACT);
    Step backward = step(model, Columns.MADE, HeadProducts.FP8_BACKWARD);

    assertThat(backward.loss()).isEqualTo(exact.loss());
    assertThat(Deviation.relative(backward.gradient(), exact.gradient())).isBetween(1e-4, 0.1);
  }

  @Test
  void aHeadInFp8IsCloseInBoth() {
    LoraModel model = model(0);
    Step exact = step(model, Columns.MADE, HeadProducts.EXACT);
    Step fp8 = step(model, Columns.MADE, HeadProducts.FP8);

    assertThat(Deviation.relative(fp8.loss(), exact.loss())).isBetween(1e-7, 0.05);
    assertThat(Deviation.relative(fp8.gradient(), exact.gradient())).isBetween(1e-4, 0.3);
  }

  @Test
  void aHeadIsExactForSmoothedLabels() {
    LoraModel model = model(0);
    Objective smoothed = new Objective(Objective.Per.TOKEN, 0.1, 0);
    Step exact = step(model, llama(model, Columns.MADE, HeadProducts.EXACT, smoothed));
    Step fp8 = step(model, llama(model, Columns.MADE, HeadProducts.FP8, smoothed));

    assertThat(fp8.loss()).isEqualTo(exact.loss());
    assertThat(fp8.gradient().equal(exact.gradient())).isTrue();
  }

  @Test
  void aHeadInFp8BackwardWeighsRows() {
    LoraModel model = model(0);
    Objective rows = new Objective(Objective.Per.ROW, 0, 0);
    Step exact = step(model, llama(model, Columns.MADE, HeadProducts.EXACT, rows));
    Step backward = step(model, llama(model, Columns.MADE, HeadProducts.FP8_BACKWARD, rows));

    assertThat(backward.loss()).isEqualTo(exact.loss());
    assertThat(Deviation.relative(backward.gradient(), exact.gradient())).isBetween(1e-4, 0.1);
  }

  /** A buffer that layers come into by turns has one address for all of them. */
  @Test
  void columnsAreNotKeptOfWeightsThatCome() {
    LoraModel model = model(0.5);
    assertThatThrownBy(() -> llama(model, Columns.KEPT, HeadProducts.EXACT))
        .hasMessageContaining("whole");
  }

  /** With all layers but one exact, most of what FP8 costs is gone, columns kept or not. */
  @ParameterizedTest
  @EnumSource
  void exactEdgesAreNearerToTheModel(Columns columns) {
    Step exact = step(deep(DType.FP32, 0), Matmul.COMPUTE, Columns.MADE);
    Step fp8 = step(deep(DType.FP8, 0), Matmul.FP8, columns);
    Step edged = step(deep(DType.FP8, 2), Matmul.FP8, columns);

    assertThat(Deviation.relative(edged.gradient(), exact.gradient()))
        .isBetween(1e-4, 0.6 * Deviation.relative(fp8.gradient(), exact.gradient()));
  }

  private static Step step(LoraModel model, Matmul matmul, Columns columns) {
    Settings settings = Settings.of(matmul, KeptActivations.INPUTS);
    Settings all =
        new Settings(
            matmul, settings.activations(), columns, settings.head(), settings.objective());
    return step(model, FusedLlama.of(model, Device.CPU, new PlainKernels(), all));
  }

  /** Five layers. */
  private static LoraModel deep(DType stored, int exactEdges) {
    return model(
        TinyModels.config(Embeddings.UNTIED, 5),
        new Placement(Device.CPU, stored, DType.FP32, new SingleRank(), 0)
            .withExactEdges(exactEdges));
  }

  private static Step step(LoraModel model, Columns columns, HeadProducts head) {
    return step(model, llama(model, columns, head));
  }

  private static Step step(LoraModel model, Llama llama) {
    TokenBatch batch = TokenBatch.of(Rows.random(37, 3, 17, 1, 5, 2));
    model.parameters().zeroGradient();
    double loss = llama.forwardBackward(batch, Dropout.NONE, Llama.UNNOTICED).item_double();
    return new Step(loss, model.parameters().ownGradient().clone());
  }

  private static Llama llama(LoraModel model, Columns columns, HeadProducts head) {
    return llama(model, columns, head, Objective.CROSS_ENTROPY);
  }

  private static Llama llama(
      LoraModel model, Columns columns, HeadProducts head, Objective objective) {
    Settings settings = new Settings(Matmul.FP8, KeptActivations.INPUTS, columns, head, objective);
    return FusedLlama.of(model, Device.CPU, new PlainKernels(), settings);
  }

  private static LoraModel model(double offloadRatio) {
    return model(
        TinyModels.config(Embeddings.UNTIED),
        new Placement(Device.CPU, DType.FP8, DType.FP32, new SingleRank(), offloadRatio));
  }

  private static LoraModel model(LlamaConfig config, Placement placement) {
    return TinyModels.lora(
        config,
        new LoudWeights(1),
        new LoraSpec(3, 6, 0, false, List.of("all-linear")),
        new LoudWeights(2),
        placement);
  }
}
