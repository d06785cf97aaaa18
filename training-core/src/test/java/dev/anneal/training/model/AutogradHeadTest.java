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
import dev.anneal.training.tensor.Grads;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
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
    Head.Result whole =
        new AutogradHead(model, Objective.CROSS_ENTROPY).lossAndGradient(hidden, batch);
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

  /** Against the formulas, in one graph, of the gradients of all that trains too. */
  @ParameterizedTest
  @CsvSource({"TOKEN, 0.1", "ROW, 0", "ROW, 0.3"})
  void otherObjectivesInChunksEqualTheirFormulas(Objective.Per per, double eps) {
    Objective objective = new Objective(per, eps, 0);
    // rows of 6 and 3 target tokens, and one of none
    TokenBatch uneven =
        TokenBatch.of(
            List.of(
                Rows.packed(List.of(Rows.row(2, 1, 2, 3, 4, 5, 6, 7, 8), Rows.row(1, 9))),
                Rows.row(3, 1, 2, 3, 4, 5, 6)));
    Leaves leaves = new Leaves(model.parameters());
    Tensor x = Tensors.leaf(hidden.clone());
    Tensor normed =
        RmsNorm.rmsNorm(
            x.index_select(0, uneven.predictors()),
            model.norm(leaves),
            model.config().rmsNormEps());
    Tensor logProbs = torch.log_softmax(torch.linear(normed, model.lmHead(leaves)), 1);
    Tensor nll = logProbs.gather(1, uneven.targets().unsqueeze(1)).squeeze(1).neg();
    Tensor each = nll.mul(Tensors.scalar(1 - eps)).sub(logProbs.mean(1).mul(Tensors.scalar(eps)));
    Tensor loss =
        per == Objective.Per.TOKEN
            ? each.sum()
            : each.narrow(0, 0, 6).mean().add(each.narrow(0, 6, 3).mean());
    List<Tensor> inputs = new ArrayList<>(List.of(x));
    inputs.addAll(leaves.tensors());
    Tensor[] grads = Grads.grad(loss, inputs, torch.ones_like(loss));

    assertThat(objective.count(uneven)).isEqualTo(per == Objective.Per.TOKEN ? 9 : 2);
    AutogradHead head = new AutogradHead(model, objective, 5 * 37);
    Head.Result found = head.lossAndGradient(hidden, uneven);
    assertThat(Deviation.relative(found.loss().item_double(), loss.item_double())).isLessThan(1e-6);
    assertThat(Deviation.relative(found.dHidden(), grads[0])).isLessThan(1e-6);
    Tensor gradient = model.parameters().ownGradient().clone();
    model.parameters().ownGradient().zero_();
    leaves.accumulate(grads, 1);
    assertThat(Deviation.relative(gradient, model.parameters().ownGradient())).isLessThan(1e-6);
    // what is held out is measured alike
    assertThat(head.loss(hidden, uneven).item_double())
        .isEqualTo(
            new AutogradHead(model, Objective.CROSS_ENTROPY, 5 * 37)
                .loss(hidden, uneven)
                .item_double());
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
