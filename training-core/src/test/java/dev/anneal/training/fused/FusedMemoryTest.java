package dev.anneal.training.fused;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Deviation;
import dev.anneal.training.InTensorScope;
import dev.anneal.training.LoudWeights;
import dev.anneal.training.Rows;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.fused.FusedLlama.Columns;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.kernel.PlainKernels;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.Rope;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.activations.StepMemory;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.product.PlainProducts;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.FrozenLayer;
import dev.anneal.training.weights.FrozenLayers;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The arithmetic beside the tensors that a layer makes, with the kernels' plain twins in fp32. */
@ExtendWith(InTensorScope.class)
class FusedMemoryTest {
  private static final LlamaConfig CONFIG = TinyModels.config(Embeddings.UNTIED);
  private static final int TOKENS = 17;

  @ParameterizedTest
  @ValueSource(strings = {"q_proj", "k_proj,v_proj", "o_proj,down_proj", "up_proj", "all-linear"})
  void whatALayerKeepsIsCounted(String targets) {
    LoraSpec spec = new LoraSpec(3, 6, 0, false, List.of(targets.split(",")));
    LoraModel model = TinyModels.lora(CONFIG, new LoudWeights(1), spec, new LoudWeights(2));
    TokenBatch batch = TokenBatch.of(Rows.random(37, 3, TOKENS));
    Saved saved = layer(model, batch, false).forward(input(TOKENS)).saved();
    // the plain attention has no sums
    long made = bytes(saved);
    long logsumexp = (long) TOKENS * CONFIG.numAttentionHeads() * Float.BYTES;
    StepMemory.Layer counted =
        memory(model.layout(), Matmul.COMPUTE).of(new BatchShape(1, TOKENS)).layer();
    assertThat(counted.kept()).isEqualTo(made + logsumexp);
    assertThat(counted.input()).isEqualTo(saved.attention().x().nbytes());
    // what both norms give, act, lowDown and y come on top of what is kept, but for x and lowDown,
    // which are in it
    long y = saved.mlp().h().nbytes();
    assertThat(counted.forward())
        .isEqualTo(counted.kept() - counted.input() + saved.mlp().gateUp().nbytes() / 2 + 3 * y);
  }

  /** Half of the tokens end at the last layer's attention: what is counted for all is enough. */
  @Test
  void theLastLayerKeepsLessOfPrompts() {
    LoraSpec spec = new LoraSpec(3, 6, 0, false, List.of("all-linear"));
    LoraModel model = TinyModels.lora(CONFIG, new LoudWeights(1), spec, new LoudWeights(2));
    TokenBatch batch = TokenBatch.of(Rows.random(37, 3, TOKENS));
    FusedLayer.Output all = layer(model, batch, false).forward(input(TOKENS));
    FusedLayer.Output some = layer(model, batch, true).forward(input(TOKENS));

    long hidden = CONFIG.hiddenSize();
    // h, gateUp, and x A^T of o_proj, of gate and up, and of down_proj
    long perToken = (hidden + 2L * CONFIG.intermediateSize() + 4 * 3) * Float.BYTES + Float.BYTES;
    assertThat(bytes(all.saved()) - bytes(some.saved()))
        .isEqualTo((TOKENS - batch.targetTokens()) * perToken);
    assertThat(
            Deviation.relative(
                some.y().index_select(0, batch.predictors()),
                all.y().index_select(0, batch.predictors())))
        .isLessThan(1e-6);
  }

  private static long bytes(Saved saved) {
    return saved.tensors().stream().mapToLong(Tensor::nbytes).sum();
  }

  @Test
  void tokensCountInProportion() {
    FusedMemory memory = memory(LoraLayout.none(CONFIG), Matmul.FP8);
    StepMemory.Layer one = memory.of(new BatchShape(1, 4096)).layer();
    StepMemory.Layer two = memory.of(new BatchShape(2, 4096)).layer();
    assertThat(two.kept()).isEqualTo(2 * one.kept());
    assertThat(two.forward()).isEqualTo(2 * one.forward());
    assertThat(memory.columnBytes(Columns.MADE, 2)).isEqualTo(24 * 80 + 40 * 4);
    FusedMemory exact = memory(LoraLayout.none(CONFIG), Matmul.COMPUTE);
    assertThat(exact.columnBytes(Columns.MADE, 2)).isZero();
    assertThat(exact.columnBytes(Columns.KEPT, 2)).isZero();
  }

  /** It is there with the hidden states that it gives, and with the logits, but with no layer. */
  @Test
  void aMatrixThatIsBroughtTogetherCountsAtTheEmbeddingAndAtTheHead() {
    BatchShape batch = new BatchShape(2, 512);
    StepMemory.Pieces whole = memory(LoraLayout.none(CONFIG), Matmul.COMPUTE).of(batch);
    long matrix = 1L << 20;
    StepMemory.Pieces split =
        new FusedMemory(
                CONFIG,
                LoraLayout.none(CONFIG),
                DType.FP32,
                DType.FP32,
                Matmul.COMPUTE,
                AttentionLibrary.FLASH,
                matrix,
                HeadProducts.EXACT)
            .of(batch);
    long hidden = 1024 * 24 * 4;
    assertThat(whole.embedding()).isEqualTo(hidden);
    assertThat(split.embedding()).isEqualTo(matrix + hidden);
    long predicting = 1022;
    // x and its norm, rstd; logits, and losses in fp32 and fp64
    assertThat(split.head())
        .isEqualTo(predicting * (2 * 24 * 4 + 4) + matrix + predicting * (37 * 4 + 4 + 8));
    assertThat(split.layer()).isEqualTo(whole.layer());
  }

  /** With cuDNN the backward's room is the scores' gradient, of so many rows as there is for. */
  @Test
  void scoresOfAttentionCountWithCudnn() {
    LoraLayout none = LoraLayout.none(CONFIG);
    FusedMemory flash = memory(none, Matmul.COMPUTE, AttentionLibrary.FLASH);
    FusedMemory cudnn = memory(none, Matmul.COMPUTE, AttentionLibrary.CUDNN);
    long heads = CONFIG.numAttentionHeads();
    StepMemory.Layer fitting = cudnn.of(new BatchShape(3, 4096)).layer();
    assertThat(fitting.backward())
        .isBetween(3 * heads * 4096 * 4096 * 2, 6 * heads * 4096 * 4096 * 2);
    assertThat(fitting.kept()).isEqualTo(flash.of(new BatchShape(3, 4096)).layer().kept());
    // a row that does not fit is FlashAttention's, but shorter ones of another batch are not
    BatchShape tooLong = new BatchShape(1, 100_000);
    assertThat(cudnn.of(tooLong).layer().backward() - flash.of(tooLong).layer().backward())
        .isBetween(100_000 * heads * 4, 100_000 * heads * 4 + CudnnAttention.ROOM.alone());
  }

  /** The room of a backward is there once, whatever rows the tokens are: 1 GiB and counters. */
  @Test
  void shortRowsDoNotBringScoresASecondTime() {
    LlamaConfig config = LlamaConfig.named("llama3.1-8b");
    BatchShape batch = new BatchShape(4, 1024);
    long fourRows = 4L * 32 * 1024 * 1024 * 2;
    assertThat(memory(config, AttentionLibrary.CUDNN).shortRowBytes(batch, 12))
        .isEqualTo(CudnnAttention.ROOM.together() - fourRows);
    assertThat(memory(config, AttentionLibrary.CUDNN).shortRowBytes(batch, 100))
        .isEqualTo(CudnnAttention.ROOM.together() - fourRows);
    // 128 times (4,096 + 32) fp32 numbers a row, and at 700 rows more than the scores
    FusedMemory flash = memory(config, AttentionLibrary.FLASH);
    assertThat(flash.shortRowBytes(batch, 12)).isEqualTo(12L * 128 * (4096 + 32) * 4);
    assertThat(memory(config, AttentionLibrary.CUDNN).shortRowBytes(batch, 700))
        .isEqualTo(
            flash.shortRowBytes(batch, 700)
                + (4096 + 4 * 128) * (2L * 4096 + 32) * 4
                - fourRows
                - (64 << 10));
  }

  private static FusedMemory memory(LlamaConfig config, AttentionLibrary attention) {
    return new FusedMemory(
        config,
        LoraLayout.none(config),
        DType.FP8,
        DType.BF16,
        Matmul.FP8,
        attention,
        0,
        HeadProducts.EXACT);
  }

  private static FusedMemory memory(LoraLayout adapters, Matmul matmul) {
    return memory(adapters, matmul, AttentionLibrary.FLASH);
  }

  private static FusedMemory memory(
      LoraLayout adapters, Matmul matmul, AttentionLibrary attention) {
    return new FusedMemory(
        CONFIG, adapters, DType.FP32, DType.FP32, matmul, attention, 0, HeadProducts.EXACT);
  }

  private static FusedLayer layer(LoraModel model, TokenBatch batch, boolean isLast) {
    PlainKernels kernels = new PlainKernels();
    FrozenLayer frozen = model.decoder().use(0, FrozenLayers.NONE);
    FusedLlama.Settings settings = FusedLlama.Settings.of(Matmul.COMPUTE, KeptActivations.ALL);
    LoraLinears linears = new LoraLinears(model, kernels, new PlainProducts(), settings);
    Tensor radians = Rope.angles(batch.positions(), Rope.frequencies(CONFIG, Device.CPU));
    Tensor angles = Tensors.cat(-1, radians.cos(), radians.sin());
    return new FusedLayer(
        CONFIG,
        kernels,
        new PlainAttention(),
        frozen,
        linears.layer(0, FrozenLayers.NONE, frozen),
        isLast ? LayerTokens.ofLast(batch, angles) : LayerTokens.all(batch, angles));
  }

  private static Tensor input(long tokens) {
    return Tensors.ones(Device.CPU, DType.FP32.scalarType(), tokens, CONFIG.hiddenSize());
  }
}
