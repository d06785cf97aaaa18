package dev.anneal.training.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Percentage.withPercentage;

import dev.anneal.training.Deviation;
import dev.anneal.training.InTensorScope;
import dev.anneal.training.LoudWeights;
import dev.anneal.training.Rows;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@ExtendWith(InTensorScope.class)
class AutogradHeadTest {
  private static final int TARGETS = 12;

  private FullModel model;
  private TokenBatch batch;
  private Tensor hidden;

  @BeforeEach
  void build() {
    LlamaConfig config = TinyModels.config(Embeddings.UNTIED);
    model = TinyModels.full(config, new LoudWeights(1));
    batch =
        TokenBatch.of(
            List.of(Rows.row(2, 1, 2, 3, 4, 5, 6, 7, 8), Rows.row(1, 1, 2, 3, 4, 5, 6, 7)));
    hidden = Tensors.normal(Tensors.empty(ScalarType.Float, 15, config.hiddenSize()), 1, 3);
    assertThat(batch.targetTokens()).isEqualTo(TARGETS);
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 37, 5 * 37, 11 * 37, 13 * 37})
  void chunksOfAnySizeGiveTheSameLossAndGradients(long maxLogits) {
    Head.Result whole = new AutogradHead(model, Objective.CROSS_ENTROPY).lossAndGradient(hidden, batch);
    Tensor wholeGradient = model.parameters().ownGradient().clone();
    model.parameters().ownGradient().zero_();

    AutogradHead chunked = new AutogradHead(model, Objective.CROSS_ENTROPY, maxLogits);
    Head.Result result = chunked.lossAndGradient(hidden, batch);

    assertThat(Deviation.relative(result.loss(), whole.loss())).isLessThan(1e-6);
    assertThat(Deviation.relative(chunked.loss(hidden, batch), whole.loss())).isLessThan(1e-6);
    Tensor losses = chunked.losses(hidden, batch);
    assertThat(losses.numel()).isEqualTo(TARGETS);
    assertThat(Deviation.relative(losses.sum(), whole.loss().sum())).isLessThan(1e-6);
    assertThat(Deviation.relative(result.dHidden(), whole.dHidden())).isLessThan(1e-6);
    assertThat(Deviation.relative(model.parameters().ownGradient(), wholeGradient))
        .isLessThan(1e-6);
  }

  /** As many as a step of 16 sequences of 16,384 tokens has. */
  @Test
  void theLossOfManyTokensIsSummedInFp64() {
    long tokens = 1 << 18;
    int[] ids = new int[(int) tokens + 1];
    Arrays.fill(ids, 5);
    TokenBatch one = TokenBatch.of(List.of(Rows.row(1, 5, 5)));
    TokenBatch many = TokenBatch.of(List.of(Rows.row(1, ids)));
    Tensor state = hidden.narrow(0, 0, 1);
    Head head = new AutogradHead(model, Objective.CROSS_ENTROPY);
    double expected = tokens * head.loss(state.expand(2, -1), one).item_double();

    assertThat(head.loss(state.expand(tokens + 1, -1), many).item_double())
        .isCloseTo(expected, withPercentage(1e-10));
    assertThat(head.lossAndGradient(state.expand(tokens + 1, -1), many).loss().item_double())
        .isCloseTo(expected, withPercentage(1e-10));
  }
}
