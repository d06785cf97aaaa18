package dev.anneal.training.fused;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Percentage.withPercentage;

import dev.anneal.training.Deviation;
import dev.anneal.training.InTensorScope;
import dev.anneal.training.LoudWeights;
import dev.anneal.training.Rows;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.kernel.PlainKernels;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.lora.ModuleNames;
import dev.anneal.training.lora.TargetModules;
import dev.anneal.training.model.Dropout;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.Objective;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.product.PlainProducts;
import dev.anneal.training.product.Products;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The explicit backward against autograd, with the kernels' plain twins in fp32. */
@ExtendWith(InTensorScope.class)
class FusedLayersTest {
  private record Gradient(double loss, Tensor flat) {}

  @ParameterizedTest
  @ValueSource(
      strings = {
        "q_proj",
        "k_proj,v_proj",
        "q_proj,v_proj",
        "o_proj,down_proj",
        "up_proj",
        "all-linear"
      })
  void gradientsEqualAutograd(String targets) {
    assertEqualsAutograd(model(targets));
  }

  /** Other ranks, scales and modules in every layer; none in the first, where bucket 0 is empty. */
  @ParameterizedTest
  @ValueSource(
      strings = {".*\\.(1\\.self_attn\\.[qv]|[01]\\.mlp\\.\\w+)_proj", ".*\\.1\\..*[vpn]_proj"})
  void gradientsOfPatternsEqualAutograd(String regex) {
    Map<String, Integer> ranks = Map.of("v_proj", 5, "0.mlp.(up|gate)_proj", 2, "1.*up_proj", 7);
    Map<String, Double> alphas = Map.of("[qvu]\\w+", 4.0, "1.mlp.down_proj", 1.0);
    TargetModules targets = TargetModules.of(ModuleNames.text(regex));
    assertEqualsAutograd(model(new LoraSpec(3, 6, 0, false, targets, ranks, alphas)));
  }

  @ParameterizedTest
  @CsvSource({"TOKEN, 0.1", "ROW, 0", "ROW, 0.3"})
  void gradientsOfOtherObjectivesEqualAutograd(Objective.Per per, double labelSmoothing) {
    LoraModel model = model("all-linear");
    Objective objective = new Objective(per, labelSmoothing, 0);
    Llama reference =
        Llama.reference(model, Device.CPU, DType.FP32, KeptActivations.INPUTS, objective);
    Llama fused =
        FusedLlama.of(
            model,
            Device.CPU,
            new PlainKernels(),
            FusedLlama.Settings.of(Matmul.COMPUTE, KeptActivations.INPUTS).with(objective));
    assertEqual(model, gradient(model, fused), gradient(model, reference));
    assertThat(gradient(model, fused).loss())
        .isNotCloseTo(gradient(model, reference(model)).loss(), withPercentage(1e-3));
    // what is held out is measured alike
    assertThat(fused.loss(batch())).isEqualTo(fused(model, KeptActivations.INPUTS).loss(batch()));
  }

  private static void assertEqualsAutograd(LoraModel model) {
    Gradient expected = gradient(model, reference(model));
    Gradient found = gradient(model, fused(model, KeptActivations.INPUTS));
    assertEqual(model, found, expected);
  }

  private static void assertEqual(LoraModel model, Gradient found, Gradient expected) {

    assertThat(Deviation.relative(found.loss(), expected.loss())).isLessThan(1e-6);
    Map<String, Tensor> byName = Deviation.byName(model.parameters(), expected.flat());
    Deviation.byName(model.parameters(), found.flat())
        .forEach(
            (name, part) ->
                assertThat(Deviation.relative(part, byName.get(name))).as(name).isLessThan(1e-5));
  }

  /** A last layer that leaves prompts out behind attention, and one that does not. */
  @ParameterizedTest
  @CsvSource({"16, true", "7, true", "1, false"})
  void gradientsEqualAutogradHoweverLongPromptsAre(int promptLength, boolean areLeftOut) {
    LoraModel model = model("all-linear");
    int[] ids = Rows.random(37, 4, 20).get(0).inputIds();
    TokenBatch batch = TokenBatch.of(List.of(Rows.row(promptLength, ids)));
    Llama fused = fused(model, KeptActivations.ALL);

    assertThat(LayerTokens.ofLast(batch, null).areSome()).isEqualTo(areLeftOut);
    assertEqual(model, gradient(model, fused, batch), gradient(model, reference(model), batch));
    Tensor positions = Tensors.of(new long[] {0, 3, 19});
    assertThat(
            Deviation.relative(
                fused.logits(batch, positions), reference(model).logits(batch, positions)))
        .isLessThan(1e-5);
  }

  /** As GPUs do it: the frozen product is added to the adapters'. */
  @ParameterizedTest
  @ValueSource(strings = {"q_proj,v_proj", "gate_proj,up_proj,o_proj", "all-linear"})
  void whatIsWrittenFirstMattersNoMoreThanRounding(String targets) {
    LoraModel model = model(targets);
    Gradient expected = gradient(model, fused(model, KeptActivations.ALL));
    Gradient found = gradient(model, adaptersFirst(model));

    assertThat(Deviation.relative(found.loss(), expected.loss())).isLessThan(1e-6);
    assertThat(Deviation.relative(found.flat(), expected.flat())).isLessThan(1e-5);
  }

  @ParameterizedTest
  @MethodSource("dev.anneal.training.KeptOfForward#activations")
  void whatIsKeptOfTheForwardChangesNoBit(KeptActivations activations) {
    LoraModel model = model("all-linear");
    Gradient expected = gradient(model, fused(model, KeptActivations.INPUTS));
    Gradient found = gradient(model, fused(model, activations));

    assertThat(found.loss()).isEqualTo(expected.loss());
    assertThat(found.flat().equal(expected.flat())).isTrue();
  }

  /** Six layers, any of which go to the host while any of the others are computed again. */
  @Test
  void whatWaitsOnTheHostChangesNoBit() {
    LlamaConfig tiny = TinyModels.config(Embeddings.UNTIED);
    int layers = 6;
    LlamaConfig config =
        new LlamaConfig(
            tiny.vocabSize(),
            tiny.hiddenSize(),
            tiny.intermediateSize(),
            layers,
            tiny.numAttentionHeads(),
            tiny.numKeyValueHeads(),
            tiny.headDim(),
            tiny.rmsNormEps(),
            null,
            10_000,
            64,
            false,
            null,
            List.of());
    LoraSpec spec = new LoraSpec(3, 6, 0, false, List.of("all-linear"));
    LoraModel model = TinyModels.lora(config, new LoudWeights(1), spec, new LoudWeights(2));
    Gradient expected = gradient(model, fused(model, KeptActivations.ALL));
    for (int onHost = 1; onHost <= layers; onHost++) {
      for (int recomputed = 0; recomputed <= layers - onHost; recomputed++) {
        KeptActivations activations = KeptActivations.INPUTS.first(recomputed).onHost(onHost);
        Gradient found = gradient(model, fused(model, activations));
        assertThat(found.loss()).as("%s", activations).isEqualTo(expected.loss());
        assertThat(found.flat().equal(expected.flat())).as("%s", activations).isTrue();
      }
    }
  }

  @Test
  void theReferenceKeepsItsGraphs() {
    KeptActivations activations = KeptActivations.ALL.onHost(1);
    LoraModel model = model("all-linear");
    assertThatThrownBy(() -> Llama.reference(model, Device.CPU, DType.FP32, activations))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageEndingWith("set hostLayers to 0");
  }

  @Test
  void evaluationEqualsTheReference() {
    LoraModel model = model("all-linear");
    TokenBatch batch = batch();
    double expected = reference(model).loss(batch);
    double found = fused(model, KeptActivations.ALL).loss(batch);

    assertThat(Deviation.relative(found, expected)).isLessThan(1e-6);
  }

  @Test
  void theLossOfEveryTokenEqualsTheReferencesAlsoWithoutAdapters() {
    LoraModel model = model("all-linear");
    LoraLayout none = LoraLayout.none(model.config());
    LoraModel base =
        new LoraModel(
            model.config(),
            none,
            TinyModels.parameters(LoraModel.shapes(model.config(), none), DType.FP32),
            model.decoder(),
            model.vocabulary(),
            model.norm());
    for (LoraModel each : List.of(model, base)) {
      double[] expected = reference(each).losses(batch());
      double[] found = fused(each, KeptActivations.INPUTS).losses(batch());
      assertThat(found).hasSameSizeAs(expected);
      for (int i = 0; i < found.length; i++) {
        assertThat(Deviation.relative(found[i], expected[i])).isLessThan(1e-5);
      }
    }
    assertThat(reference(model).losses(batch())).isNotEqualTo(reference(base).losses(batch()));
  }

  @Test
  void everyLayerIsReportedOnceFromTheLastToTheFirst() {
    LoraModel model = model("all-linear");
    List<Integer> done = new ArrayList<>();
    fused(model, KeptActivations.ALL).forwardBackward(batch(), Dropout.NONE, done::add);

    assertThat(done).containsExactly(1, 0);
  }

  private static LoraModel model(String targets) {
    return model(new LoraSpec(3, 6, 0, false, List.of(targets.split(","))));
  }

  private static LoraModel model(LoraSpec spec) {
    return TinyModels.lora(
        TinyModels.config(Embeddings.UNTIED), new LoudWeights(1), spec, new LoudWeights(2));
  }

  private static Llama reference(LoraModel model) {
    return Llama.reference(model, Device.CPU, DType.FP32, KeptActivations.INPUTS);
  }

  private static Llama fused(LoraModel model, KeptActivations activations) {
    return FusedLlama.of(model, Device.CPU, new PlainKernels(), Matmul.COMPUTE, activations);
  }

  private static Llama adaptersFirst(LoraModel model) {
    return FusedLlama.of(
        model,
        Device.CPU,
        new PlainKernels(),
        FusedLlama.Settings.of(Matmul.COMPUTE, KeptActivations.ALL),
        new PlainAttention(),
        new PlainProducts(Products.Order.ADAPTERS_FIRST));
  }

  private static Gradient gradient(LoraModel model, Llama llama) {
    return gradient(model, llama, batch());
  }

  private static Gradient gradient(LoraModel model, Llama llama, TokenBatch batch) {
    Parameters parameters = model.parameters();
    parameters.zeroGradient();
    double loss = llama.forwardBackward(batch, Dropout.NONE, Llama.UNNOTICED).item_double();
    return new Gradient(loss, parameters.ownGradient().clone());
  }

  /** Rows of 17, 1, 5 and 2 tokens, two of them packed. */
  private static TokenBatch batch() {
    List<TokenSequence> rows = Rows.random(37, 3, 17, 1, 5, 2);
    return TokenBatch.of(rows);
  }
}
