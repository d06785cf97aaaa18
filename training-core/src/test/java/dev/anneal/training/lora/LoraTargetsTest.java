package dev.anneal.training.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.model.LinearModule;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LoraTargetsTest {

  @Test
  void comeInTheOrderOfTheLayer() {
    assertThat(LoraTargets.resolve(List.of("down_proj", "v_proj", "q_proj", "v_proj")))
        .containsExactly(LinearModule.Q_PROJ, LinearModule.V_PROJ, LinearModule.DOWN_PROJ);
  }

  @Test
  void allLinearMeansAllSeven() {
    assertThat(LoraTargets.resolve(List.of("all-linear"))).containsExactly(LinearModule.values());
  }

  @ParameterizedTest
  @ValueSource(strings = {"query", "Q_PROJ", "q_proj ", "lm_head", ".*_proj", ""})
  void aNameThatMatchesNothingIsRefusedWithTheKnownOnes(String name) {
    assertThatThrownBy(() -> LoraTargets.resolve(List.of("q_proj", name)))
        .isInstanceOf(InvalidModelException.class)
        .hasMessage(
            "LoRA target module '%s' matches no linear module of a Llama; choose among q_proj,"
                + " k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj or all-linear.",
            name);
  }

  @Test
  void noNameAtAllIsRefused() {
    assertThatThrownBy(() -> LoraTargets.resolve(List.of()))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("no target modules");
  }
}
