package dev.anneal.training.fused;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Percentage.withPercentage;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.LoudWeights;
import dev.anneal.training.Rows;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.kernel.PlainKernels;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.Objective;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.product.PlainProducts;
import dev.anneal.training.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(InTensorScope.class)
class FusedHeadTest {
  /** As many as a step of 16 sequences of 16,384 tokens has. */
  private static final int TOKENS = 1 << 18;

  @Test
  void theLossOfManyTokensIsSummedInFp64() {
    LlamaConfig config = TinyModels.config(Embeddings.UNTIED);
    LoraModel model =
        TinyModels.lora(
            config,
            new LoudWeights(1),
            new LoraSpec(3, 6, 0, false, List.of("q_proj")),
            new LoudWeights(2));
    int[] ids = new int[TOKENS + 1];
    Arrays.fill(ids, 5);
    TokenBatch one = TokenBatch.of(List.of(Rows.row(1, 5, 5)));
    TokenBatch many = TokenBatch.of(List.of(Rows.row(1, ids)));
    Tensor state = Tensors.normal(Tensors.empty(ScalarType.Float, 1, config.hiddenSize()), 1, 3);
    // many chunks
    FusedHead head =
        new FusedHead(
            model,
            new PlainKernels(),
            new PlainProducts(),
            HeadProducts.EXACT,
            Objective.CROSS_ENTROPY,
            37 * (1L << 14));
    // a row alone may be multiplied in another order; a sum in fp32 would be off by a thousandth
    double expected = TOKENS * head.loss(state.expand(2, -1), one).item_double();

    assertThat(head.loss(state.expand(TOKENS + 1, -1), many).item_double())
        .isCloseTo(expected, withPercentage(1e-4));
    assertThat(head.lossAndGradient(state.expand(TOKENS + 1, -1), many).loss().item_double())
        .isCloseTo(expected, withPercentage(1e-4));
  }
}
