package dev.anneal.training.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.lora.LoraLayout.Adapter;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.config.LlamaConfig;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LoraLayoutTest {
  /** Twelve layers, so that one layer's number begins another's. */
  private static final LlamaConfig CONFIG = TinyModels.config(Embeddings.UNTIED).withLayers(12);

  @Test
  void adaptersComeInTheOrderOfTheLayer() {
    for (var adapters : named("down_proj", "v_proj", "q_proj", "v_proj").layers()) {
      assertThat(adapters.keySet())
          .containsExactly(LinearModule.Q_PROJ, LinearModule.V_PROJ, LinearModule.DOWN_PROJ);
    }
  }

  @Test
  void allLinearMeansAllSevenOfEveryLayer() {
    for (ModuleNames names :
        List.of(
            ModuleNames.listed(List.of("all-linear")),
            ModuleNames.text("all-linear"),
            ModuleNames.text("All-Linear"))) {
      assertThat(layout(TargetModules.of(names)).adapters()).hasSize(7 * 12);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"query", "Q_PROJ", "q_proj ", "roj", ".*_proj", "layers.12.mlp.up_proj"})
  void aNameThatMatchesNothingIsRefusedWithTheKnownOnes(String name) {
    assertThatThrownBy(() -> named("q_proj", name))
        .isInstanceOf(InvalidModelException.class)
        .hasMessage(
            "LoRA target module '%s' matches no linear module of a Llama; choose among q_proj,"
                + " k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj or all-linear.",
            name);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          lm_head                    | lm_head
          embed_tokens               | model.embed_tokens
          mlp                        | model.layers.0.mlp
          norm                       | model.norm
          layers.3.self_attn         | model.layers.3.self_attn
          """)
  void aNameOfAnotherModuleIsRefusedByItsName(String name, String reached) {
    assertThatThrownBy(() -> named("q_proj", name))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageStartingWith("LoRA target modules reach " + reached + ", but");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      textBlock =
          """
          .*(q_proj|lm_head)         ; lm_head
          .*                         ; lm_head
          model.embed.*              ; model.embed_tokens
          .*norm                     ; model.norm
          .*\\.5\\.input_.*            ; model.layers.5.input_layernorm
          """)
  void aRegularExpressionThatReachesAnotherModuleIsRefusedByItsName(String regex, String reached) {
    assertThatThrownBy(() -> matching(regex))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageStartingWith("LoRA target modules reach " + reached + ", but");
  }

  @Test
  void noNameAtAllIsRefused() {
    assertThatThrownBy(LoraLayoutTest::named)
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("no target modules");
  }

  @Test
  void aRegularExpressionThatMatchesNothingIsRefused() {
    assertThatThrownBy(() -> matching("q_proj"))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContainingAll("'q_proj' match no", "model.layers.0.self_attn.q_proj");
  }

  @Test
  void aNameMayBeTheEndOfAWholeOne() {
    assertThat(published(named("layers.1.self_attn.q_proj", "11.mlp.up_proj")).names())
        .isEqualTo(
            ModuleNames.listed(
                List.of("model.layers.1.self_attn.q_proj", "model.layers.11.mlp.up_proj")));
  }

  @Test
  void aRegularExpressionIsPublishedAsTheNamesItMatches() {
    assertThat(published(matching(".*\\.(q_proj|layers\\.[02]\\.mlp\\.up_proj)")).names())
        .isEqualTo(
            ModuleNames.listed(
                List.of("q_proj", "model.layers.0.mlp.up_proj", "model.layers.2.mlp.up_proj")));
  }

  @Test
  void excludedModulesAndOtherLayersGetNone() {
    TargetModules targets =
        new TargetModules(
            ModuleNames.listed(List.of("q_proj", "k_proj", "model.layers.7.mlp.up_proj")),
            new ModuleNames.Matching(".*\\.1\\.self_attn\\.k_proj"),
            List.of(1, 2));

    assertThat(published(layout(targets)).names())
        .isEqualTo(
            ModuleNames.listed(
                List.of(
                    "model.layers.1.self_attn.q_proj",
                    "model.layers.2.self_attn.q_proj",
                    "model.layers.2.self_attn.k_proj",
                    // whole names do not ask for layers
                    "model.layers.7.mlp.up_proj")));
  }

  @Test
  void theFirstPatternThatEndsANameGivesItsRankAndAlpha() {
    Map<String, Integer> ranks = new LinkedHashMap<>();
    ranks.put("layers.1.self_attn.q_proj", 2);
    ranks.put("q_proj", 4);
    ranks.put("proj", 64);
    ranks.put("model\\.layers\\.1\\..*", 32);
    Map<String, Double> alphas = Map.of("[kq]_proj", 6.0);
    LoraLayout layout = patterns(ranks, alphas, false);

    Adapter usual = new Adapter(8, 16, 2);
    for (int layer = 0; layer < 12; layer++) {
      int r = layer == 1 ? 2 : 4;
      assertThat(layout.layers().get(layer))
          .containsEntry(LinearModule.Q_PROJ, new Adapter(r, 6, 6.0 / r))
          .containsEntry(LinearModule.K_PROJ, layer == 1 ? adapter(32, 6) : adapter(8, 6))
          .containsEntry(LinearModule.UP_PROJ, layer == 1 ? adapter(32, 16) : usual);
    }
    assertThat(patterns(ranks, alphas, true).layers().get(0))
        .containsEntry(LinearModule.Q_PROJ, new Adapter(4, 6, 6 / Math.sqrt(4)));
  }

  @Test
  void whatIsPublishedGivesTheSameAdapters() {
    Map<String, Integer> ranks = new LinkedHashMap<>();
    ranks.put(".*\\.(1|10)\\..*", 3);
    ranks.put("self_attn\\.\\w+", 5);
    LoraLayout layout = patterns(ranks, Map.of("11.*", 7.5), false);
    LoraSpec plain = layout.plain();

    assertThat(LoraLayout.of(plain, CONFIG).layers()).isEqualTo(layout.layers());
    assertThat(plain.alphaPattern())
        .containsOnlyKeys(
            "model.layers.11.self_attn.q_proj",
            "model.layers.11.self_attn.k_proj",
            "model.layers.11.mlp.up_proj");
    assertThat(patterns(Map.of("(q|k)_proj", 3), Map.of(), false).plain().rankPattern())
        .isEqualTo(Map.of("q_proj", 3, "k_proj", 3));
    assertThat(named("q_proj").plain().rankPattern()).isEmpty();
  }

  @Test
  void aPatternThatConcernsNoAdapterIsNamed() {
    assertThatCode(
            () -> patterns(Map.of("q_proj", 4), Map.of("up.*", 2.0), false).requirePatternsUsed())
        .doesNotThrowAnyException();
    for (String key : List.of("v_proj", "roj", "q_proj\\.", "layers.12.*")) {
      assertThatThrownBy(() -> patterns(Map.of(), Map.of(key, 2.0), false).requirePatternsUsed())
          .isInstanceOf(InvalidModelException.class)
          .hasMessageContaining("'" + key + "', which matches no module");
    }
  }

  private static Adapter adapter(int r, double alpha) {
    return new Adapter(r, alpha, alpha / r);
  }

  private static TargetModules published(LoraLayout layout) {
    return layout.plain().targetModules();
  }

  private static LoraLayout named(String... names) {
    return layout(TargetModules.named(List.of(names)));
  }

  private static LoraLayout matching(String regex) {
    return layout(TargetModules.of(ModuleNames.text(regex)));
  }

  private static LoraLayout layout(TargetModules targets) {
    return LoraLayout.of(new LoraSpec(8, 16, 0, false, targets, Map.of(), Map.of()), CONFIG);
  }

  /** Rank 8 and alpha 16 on q, k and up but for the patterns. */
  private static LoraLayout patterns(
      Map<String, Integer> ranks, Map<String, Double> alphas, boolean rslora) {
    TargetModules targets = TargetModules.named(List.of("q_proj", "k_proj", "up_proj"));
    return LoraLayout.of(new LoraSpec(8, 16, 0, rslora, targets, ranks, alphas), CONFIG);
  }
}
