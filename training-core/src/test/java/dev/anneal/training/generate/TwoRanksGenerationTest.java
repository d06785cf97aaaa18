package dev.anneal.training.generate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.LoudWeights;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.trainer.GlooRanks;
import dev.anneal.training.weights.Placement;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Ranks that talk Gloo, mostly two. */
@ExtendWith(InTensorScope.class)
class TwoRanksGenerationTest {
  private static final GenerationSpec SPEC =
      new GenerationSpec(12, new Sampling(0.8, 20, 0.95, 1.1, 3), Set.of(5, 6));

  /** A rank's model, in its tensor scope. */
  private interface RankModel {
    Llama load(Collectives world);
  }

  @ParameterizedTest
  @CsvSource({"FP32, 0", "BF16, 0", "FP8, 0", "FP8, 0.5"})
  void splitWeightsGiveWhatWholeOnesGive(DType stored, double offloadRatio) throws Exception {
    List<List<Integer>> expected =
        Models.tokens(
            Models.generate(
                Models.reference(Models.whole(stored, DType.FP32, 0)), Models.PROMPTS, SPEC));
    assertThat(
            generate(
                2,
                world ->
                    Models.reference(
                        new Placement(Device.CPU, stored, DType.FP32, world, offloadRatio))))
        .isEqualTo(Map.of(0, expected, 1, expected));
  }

  /** Of 37 tokens each of three ranks has thirteen, and one of them is none. */
  @ParameterizedTest
  @EnumSource
  void soDoPartsOfUnequalLengthAndATiedHead(Embeddings embeddings) throws Exception {
    List<List<Integer>> expected =
        Models.tokens(
            Models.generate(reference(embeddings, new SingleRank()), Models.PROMPTS, SPEC));
    assertThat(generate(3, world -> reference(embeddings, world)))
        .isEqualTo(Map.of(0, expected, 1, expected, 2, expected));
  }

  private static Llama reference(Embeddings embeddings, Collectives shard) {
    return Llama.reference(
        TinyModels.lora(
            TinyModels.config(embeddings),
            new LoudWeights(1),
            new LoraSpec(3, 6, 0, false, List.of("all-linear")),
            new LoudWeights(2),
            new Placement(Device.CPU, DType.FP32, DType.FP32, shard, 0)),
        Device.CPU,
        DType.FP32,
        KeptActivations.INPUTS);
  }

  @Test
  void allFollowRank0WhateverTheyWouldSayThemselves() throws Exception {
    List<List<Integer>> expected =
        Models.tokens(Models.generate(Models.fp32(), Models.PROMPTS, SPEC));
    Map<Integer, List<List<Integer>>> found =
        generate(2, world -> world.rank() == 0 ? Models.fp32() : another());
    assertThat(found).isEqualTo(Map.of(0, expected, 1, expected));
    assertThat(Models.tokens(Models.generate(another(), Models.PROMPTS, SPEC)))
        .isNotEqualTo(expected);
  }

  /** With other weights. */
  private static Llama another() {
    return Llama.reference(
        TinyModels.lora(
            Models.config(),
            new LoudWeights(7),
            new LoraSpec(3, 6, 0, false, List.of("q_proj")),
            new LoudWeights(8),
            new Placement(Device.CPU, DType.FP32, DType.FP32, new SingleRank(), 0)),
        Device.CPU,
        DType.FP32,
        KeptActivations.INPUTS);
  }

  /** What the ranks give and hear, by rank. */
  private static Map<Integer, List<List<Integer>>> generate(int ranks, RankModel model)
      throws Exception {
    Map<Integer, List<List<Integer>>> results = new ConcurrentHashMap<>();
    List<Throwable> thrown =
        GlooRanks.run(
            ranks,
            world -> {
              try (TensorScope scope = new TensorScope()) {
                Generator generator =
                    new Generator(model.load(world), world, world::check, Models.SMALL);
                int[] heard = new int[1];
                List<Completion> completions =
                    generator.generate(
                        Models.PROMPTS, SPEC, StopStrings.NONE, (prompt, token) -> heard[0]++);
                assertThat(heard[0])
                    .isEqualTo(completions.stream().mapToInt(c -> c.tokens().length).sum());
                results.put(world.rank(), Models.tokens(completions));
              }
            });
    assertThat(thrown).containsOnlyNulls();
    return results;
  }
}
