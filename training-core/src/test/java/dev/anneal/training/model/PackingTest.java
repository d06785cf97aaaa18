package dev.anneal.training.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Deviation;
import dev.anneal.training.InTensorScope;
import dev.anneal.training.LoudWeights;
import dev.anneal.training.Rows;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Rows give the same loss and gradients alone, side by side, and packed end to end. */
@ExtendWith(InTensorScope.class)
class PackingTest {
  private static final double TOLERANCE = 5e-6;
  private static final List<TokenSequence> ROWS = Rows.random(37, 7, 9, 1, 6, 2, 13);

  private LoraModel model;

  @BeforeEach
  void build() {
    LoraSpec spec = new LoraSpec(3, 6, 0, false, List.of("all-linear"));
    LlamaConfig config = TinyModels.config(Embeddings.TIED);
    model = TinyModels.lora(config, new LoudWeights(1), spec, new LoudWeights(2));
  }

  @Test
  void packedRowsEqualRowsSideBySide() {
    assertSame(accumulated(List.of(Rows.packed(ROWS))), accumulated(ROWS));
  }

  @Test
  void packedRowsEqualRowsComputedAlone() {
    assertSame(accumulated(List.of(Rows.packed(ROWS))), oneByOne());
  }

  @Test
  void anEndOfRowMatters() {
    TokenSequence packed = Rows.packed(ROWS);
    TokenSequence joined =
        new TokenSequence(packed.inputIds(), new int[] {31}, packed.targetSpans());
    assertThat(Deviation.relative(accumulated(List.of(joined)).loss(), oneByOne().loss()))
        .isGreaterThan(1e-3);
  }

  @Test
  void rowsWithoutTargetsChangeNothing() {
    TokenSequence silent = new TokenSequence(new int[] {4, 5, 6}, new int[] {1, 2}, new int[0]);
    Result with = accumulated(List.of(ROWS.get(0), silent));
    assertSame(with, accumulated(List.of(ROWS.get(0))));
  }

  @Test
  void batchWithoutTargetsHasNeitherLossNorGradient() {
    Result result = accumulated(List.of(Rows.row(1, 4), Rows.row(3, 4, 5, 6)));
    assertThat(result.loss()).isZero();
    assertThat(result.gradient().abs().max().item_double()).isZero();
  }

  private static void assertSame(Result found, Result expected) {
    double loss = Deviation.relative(found.loss(), expected.loss());
    double gradient = Deviation.relative(found.gradient(), expected.gradient());
    System.out.printf("packing: loss %.2e, gradient %.2e relative%n", loss, gradient);
    assertThat(loss).isLessThan(TOLERANCE);
    assertThat(gradient).isLessThan(TOLERANCE);
  }

  private record Result(double loss, Tensor gradient) {}

  private Result oneByOne() {
    model.parameters().ownGradient().zero_();
    double loss = 0;
    for (TokenSequence row : ROWS) {
      loss +=
          llama()
              .forwardBackward(TokenBatch.of(List.of(row)), Dropout.NONE, Llama.UNNOTICED)
              .item_double();
    }
    return new Result(loss, model.parameters().ownGradient().clone());
  }

  private Result accumulated(List<TokenSequence> sequences) {
    model.parameters().ownGradient().zero_();
    double loss =
        llama()
            .forwardBackward(TokenBatch.of(sequences), Dropout.NONE, Llama.UNNOTICED)
            .item_double();
    return new Result(loss, model.parameters().ownGradient().clone());
  }

  private Llama llama() {
    return Llama.reference(model, Device.CPU, DType.FP32, KeptActivations.INPUTS);
  }
}
