package dev.anneal.training.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Deviation;
import dev.anneal.training.LoudWeights;
import dev.anneal.training.Rows;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class LayerwiseBackwardTest {
  private static final double TOLERANCE = 1e-5;

  @BeforeAll
  static void load() {
    NativeLibraries.load();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"q_proj", "k_proj,v_proj", "o_proj,down_proj", "gate_proj,up_proj", "all-linear"})
  void adapterGradientsEqualWholeGraphAutograd(String targets) {
    try (TensorScope scope = new TensorScope()) {
      LoraSpec spec = new LoraSpec(3, 6, 0, false, List.of(targets.split(",")));
      assertEqualsWholeGraph(targets, lora(spec), Dropout.NONE);
    }
  }

  @Test
  void adapterGradientsUnderDropoutEqualWholeGraphAutograd() {
    try (TensorScope scope = new TensorScope()) {
      LoraSpec spec = new LoraSpec(3, 6, 0.3, false, List.of("all-linear"));
      assertEqualsWholeGraph("dropout", lora(spec), new Dropout(0.3, 5));
    }
  }

  @ParameterizedTest
  @EnumSource(Embeddings.class)
  void gradientsOfAllWeightsEqualWholeGraphAutograd(Embeddings embeddings) {
    try (TensorScope scope = new TensorScope()) {
      FullModel model = TinyModels.full(TinyModels.config(embeddings), new LoudWeights(1));
      assertEqualsWholeGraph("all weights, " + embeddings, model, Dropout.NONE);
    }
  }

  @ParameterizedTest
  @MethodSource("dev.anneal.training.KeptOfForward#activations")
  void keptActivationsGiveTheSameBitsAsRecomputedOnes(KeptActivations activations) {
    try (TensorScope scope = new TensorScope()) {
      LoraSpec spec = new LoraSpec(3, 6, 0.3, false, List.of("all-linear"));
      TrainableModel model = lora(spec);
      Dropout dropout = new Dropout(0.3, 5);
      Gradient recomputed = layerwise(model, KeptActivations.INPUTS, dropout);
      Gradient kept = layerwise(model, activations, dropout);
      assertThat(kept.loss()).isEqualTo(recomputed.loss());
      assertThat(kept.flat().equal(recomputed.flat())).isTrue();
    }
  }

  /** The first two of five layers and no others are computed a second time. */
  @Test
  void onlyTheFirstLayersAreComputedAgain() {
    try (TensorScope scope = new TensorScope()) {
      LlamaConfig config = TinyModels.config(Embeddings.UNTIED).withLayers(5);
      FullModel model = TinyModels.full(config, new LoudWeights(1));
      CountingLayers layers = new CountingLayers(new AutogradLayers(model, Device.CPU, DType.FP32));
      new Llama(
              model,
              Device.CPU,
              layers,
              new AutogradHead(model, Objective.CROSS_ENTROPY),
              KeptActivations.INPUTS.first(2))
          .forwardBackward(batch(), Dropout.NONE, Llama.UNNOTICED);
      assertThat(layers.calls())
          .containsExactly(
              "forward 0",
              "forward 1",
              "record 2",
              "record 3",
              "record 4",
              "recompute 1",
              "recompute 0");
    }
  }

  /** Of two layers, the embedding in the third bucket, and the final norm, with the head or not. */
  @ParameterizedTest
  @EnumSource
  void everyBucketIsReportedOnceWhenItsGradientIsComplete(Embeddings embeddings) {
    try (TensorScope scope = new TensorScope()) {
      FullModel model = TinyModels.full(TinyModels.config(embeddings), new LoudWeights(1));
      List<Integer> done = new ArrayList<>();
      Llama.reference(model, Device.CPU, DType.FP32, KeptActivations.INPUTS)
          .forwardBackward(batch(), Dropout.NONE, done::add);
      assertThat(done).containsExactly(3, 1, 0, 2);
    }
  }

  /** Writes down how layers are asked for. */
  private record CountingLayers(LayerStack layers, List<String> calls) implements LayerStack {
    CountingLayers(LayerStack layers) {
      this(layers, new ArrayList<>());
    }

    @Override
    public Pass on(TokenBatch batch, Dropout dropout) {
      Pass pass = layers.on(batch, dropout);
      return new Pass() {
        @Override
        public Tensor forward(int layer, int next, Tensor x) {
          calls.add("forward " + layer);
          return pass.forward(layer, next, x);
        }

        @Override
        public Tape record(int layer, int next, Tensor x) {
          calls.add("record " + layer);
          return pass.record(layer, next, x);
        }

        @Override
        public Tape recompute(int layer, int next, Tensor x) {
          calls.add("recompute " + layer);
          return pass.recompute(layer, next, x);
        }
      };
    }

    @Override
    public Forward after(TokenBatch batch, CachedAttention attention) {
      return layers.after(batch, attention);
    }
  }

  private static TrainableModel lora(LoraSpec spec) {
    LlamaConfig config = TinyModels.config(Embeddings.UNTIED);
    return TinyModels.lora(config, new LoudWeights(1), spec, new LoudWeights(2));
  }

  private record Gradient(double loss, Tensor flat) {}

  private static Gradient layerwise(
      TrainableModel model, KeptActivations activations, Dropout dropout) {
    Parameters parameters = model.parameters();
    parameters.ownGradient().zero_();
    Llama llama = Llama.reference(model, Device.CPU, DType.FP32, activations);
    double loss = llama.forwardBackward(batch(), dropout, Llama.UNNOTICED).item_double();
    return new Gradient(loss, parameters.ownGradient().clone());
  }

  private static void assertEqualsWholeGraph(String what, TrainableModel model, Dropout dropout) {
    Parameters parameters = model.parameters();
    Gradient found = layerwise(model, KeptActivations.INPUTS, dropout);
    parameters.ownGradient().zero_();
    double loss = WholeGraph.forwardBackward(model, batch(), dropout);
    Map<String, Tensor> expected = Deviation.byName(parameters, parameters.ownGradient());
    double largest = 0;
    for (var part : Deviation.byName(parameters, found.flat()).entrySet()) {
      Tensor whole = expected.get(part.getKey());
      assertThat(whole.abs().max().item_double()).as(part.getKey()).isGreaterThan(1e-3);
      double deviation = Deviation.relative(part.getValue(), whole);
      assertThat(deviation).as(part.getKey()).isLessThan(TOLERANCE);
      largest = Math.max(largest, deviation);
    }
    System.out.printf("gradients (%s): %.2e relative%n", what, largest);
    assertThat(Deviation.relative(found.loss(), loss)).isLessThan(1e-6);
  }

  /** Rows of 17, 1, 5, 2 and 1 tokens, two of them packed. */
  private static TokenBatch batch() {
    List<TokenSequence> rows = Rows.random(37, 3, 17, 1, 5, 2, 1);
    return TokenBatch.of(
        List.of(rows.get(0), Rows.packed(rows.subList(1, 3)), rows.get(3), rows.get(4)));
  }
}
