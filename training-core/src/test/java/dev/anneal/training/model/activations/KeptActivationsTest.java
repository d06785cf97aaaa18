package dev.anneal.training.model.activations;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.model.activations.KeptActivations.Kept;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class KeptActivationsTest {

  @ParameterizedTest
  @CsvSource({"80, 40", "80, 54", "80, 3", "126, 50", "32, 1", "32, 31", "7, 7", "5, 9", "5, 0"})
  void layersOnTheHostAreSpreadEvenly(int layers, int onHost) {
    KeptActivations activations = KeptActivations.ALL.onHost(onHost);
    List<Integer> on = layersOf(activations, Kept.ALL_ON_HOST, layers);
    assertThat(on).hasSize(Math.min(layers, onHost)).hasSize(activations.host(layers));
    for (int i = 0; i < on.size(); i++) {
      int next = i + 1 < on.size() ? on.get(i + 1) : layers;
      assertThat(next - on.get(i)).isBetween(layers / on.size(), (layers - 1) / on.size() + 1);
    }
  }

  @ParameterizedTest
  @CsvSource({"0, 0, 6", "0, 3, 6", "2, 0, 6", "2, 3, 6", "3, 3, 6", "2147483647, 4, 6", "9, 9, 6"})
  void theFirstOfTheOthersAreComputedAgain(int recomputed, int onHost, int layers) {
    KeptActivations activations = KeptActivations.INPUTS.first(recomputed).onHost(onHost);
    List<Integer> again = layersOf(activations, Kept.INPUT, layers);
    List<Integer> keeping = layersOf(activations, Kept.ALL, layers);
    assertThat(again).hasSize(activations.recomputed(layers));
    assertThat(again.size()).isEqualTo(Math.min(recomputed, layers - activations.host(layers)));
    assertThat(keeping).hasSize(activations.keeping(layers));
    assertThat(again).allSatisfy(a -> assertThat(keeping).allMatch(k -> k > a));
  }

  @Test
  void twoOfThemAreNeededBackAtOnce() {
    assertThat(KeptActivations.ALL.onHost(5).copied(80)).isEqualTo(3);
    assertThat(KeptActivations.ALL.onHost(5).copied(4)).isEqualTo(2);
    assertThat(KeptActivations.ALL.onHost(1).copied(80)).isZero();
  }

  private static List<Integer> layersOf(KeptActivations activations, Kept kept, int layers) {
    return IntStream.range(0, layers)
        .filter(layer -> activations.of(layer, layers) == kept)
        .boxed()
        .toList();
  }
}
