package dev.anneal.spark.output;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.lora.LoraVariant;
import dev.anneal.training.lora.TargetModules;
import dev.anneal.training.model.config.LlamaConfig;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class VllmTest {
  @ParameterizedTest
  @CsvSource({"1,8", "8,8", "9,16", "64,64", "65,128", "257,320", "321,512", "512,512"})
  void isStartedWithTheSmallestRankThatServes(int rank, int started) {
    Vllm vllm = vllm(rank, Map.of(), Map.of());

    assertThat(vllm.maxLoraRank()).isEqualTo(started);
    assertThat(vllm.reasonAgainst()).isEmpty();
  }

  @Test
  void servesNoLargerRank() {
    assertThat(vllm(513, Map.of(), Map.of()).reasonAgainst())
        .get()
        .asString()
        .contains("up to rank 512, and this one has 513");
  }

  @Test
  void looksAtTheLargestRankOfAModuleAndAtTheUsualOne() {
    assertThat(vllm(8, Map.of("q_proj", 40), Map.of("q_proj", 40.0)).maxLoraRank()).isEqualTo(64);
    assertThat(vllm(32, Map.of(".*", 4), Map.of(".*", 4.0)).maxLoraRank()).isEqualTo(32);
  }

  @Test
  void scalesEveryModuleAlike() {
    assertThat(vllm(8, Map.of("q_proj", 4), Map.of("q_proj", 4.0)).reasonAgainst()).isEmpty();
    assertThat(vllm(8, Map.of("q_proj", 4), Map.of()).reasonAgainst())
        .get()
        .asString()
        .contains("merge the adapter");
    assertThat(vllm(8, Map.of(), Map.of("1.self_attn.k_proj", 4.0)).reasonAgainst()).isPresent();
  }

  @Test
  void takesNoDora() {
    LoraLayout plain = layout(8);
    LoraLayout dora = new LoraLayout(plain.spec().as(LoraVariant.DORA), plain.layers());
    assertThat(Vllm.of(dora).reasonAgainst()).get().asString().contains("no DoRA adapters");
  }

  @Test
  void takesPissaWithTwiceTheRank() {
    LoraLayout plain = layout(48);
    LoraVariant pissa = new LoraVariant.Pissa(0);
    LoraLayout published = new LoraLayout(plain.spec().as(pissa), plain.layers()).published();
    assertThat(Vllm.of(published).reasonAgainst()).isEmpty();
    assertThat(Vllm.of(published).maxLoraRank()).isEqualTo(128);
  }

  /** Alpha is the rank, so that the scale is 1. */
  private static Vllm vllm(int r, Map<String, Integer> ranks, Map<String, Double> alphas) {
    return Vllm.of(layout(r, ranks, alphas));
  }

  /** Adapters of one rank. */
  static LoraLayout layout(int r) {
    return layout(r, Map.of(), Map.of());
  }

  private static LoraLayout layout(int r, Map<String, Integer> ranks, Map<String, Double> alphas) {
    TargetModules targets = TargetModules.named(List.of("q_proj", "k_proj"));
    return LoraLayout.of(
        new LoraSpec(r, r, 0, false, targets, ranks, alphas),
        LlamaConfig.named("llama3.1-8b").withLayers(2));
  }
}
