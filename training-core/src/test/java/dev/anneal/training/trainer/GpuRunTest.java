package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.model.Llama.Activations;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The reference run on a GPU, and the settings that move bytes but change no number. */
@Tag("gpu")
class GpuRunTest {
  private static final Ranks GPU = new Ranks(Device.gpu(0), new SingleRank(), new SingleRank());

  private static ReferenceRun reference;

  @TempDir Path output;

  @BeforeAll
  static void load() throws IOException {
    reference = ReferenceRun.load();
  }

  @Test
  void fp32EqualsTheReference() throws IOException {
    assertReference(Recipe.from(reference.spec(1)), 1e-4);
  }

  @ParameterizedTest
  @EnumSource(Activations.class)
  void bf16IsCloseToTheReference(Activations activations) throws IOException {
    assertReference(bf16().activations(activations), 2e-2);
  }

  @Test
  void fp8IsCloseToTheReference() throws IOException {
    assertReference(fp8(), 5e-2);
  }

  @Test
  void fp8WeightsServeProductsInTheComputeDtype() throws IOException {
    assertReference(bf16().baseDtype(DType.FP8), 5e-2);
  }

  @Test
  void settingsThatMoveBytesChangeNoNumber() throws IOException {
    List<Double> expected = losses(fp8());
    for (Activations activations : Activations.values()) {
      for (double ratio : new double[] {0, 0.3, 1}) {
        assertThat(losses(fp8().activations(activations).offloadRatio(ratio)))
            .as("%s, offload_ratio %s", activations, ratio)
            .isEqualTo(expected);
      }
    }
  }

  @Test
  void dropoutGoesTheReferencesWay() throws IOException {
    List<Double> losses = losses(bf16().dropout(0.1));
    assertThat(losses).isEqualTo(losses(bf16().dropout(0.1))).isNotEqualTo(losses(bf16()));
  }

  private static Recipe bf16() {
    return Recipe.from(reference.spec(1)).computeDtype(DType.BF16).baseDtype(DType.BF16);
  }

  private static Recipe fp8() {
    return bf16().baseDtype(DType.FP8).matmul(Matmul.FP8);
  }

  private List<Double> losses(Recipe recipe) throws IOException {
    List<Double> numbers = new ArrayList<>();
    for (StepMetrics step : reference.train(recipe.spec(), GPU, output)) {
      numbers.add(step.loss());
      numbers.add(step.gradNorm());
    }
    return numbers;
  }

  private void assertReference(Recipe recipe, double tolerance) throws IOException {
    List<StepMetrics> steps = reference.train(recipe.spec(), GPU, output);
    ReferenceRunTest.Deviation deviation =
        ReferenceRunTest.Deviation.of(steps, reference.reference().get("steps"));
    System.out.printf(
        "GPU, %s: loss %.2e relative, grad_norm %.2e relative%n",
        recipe.spec().computeDtype(), deviation.loss(), deviation.gradNorm());
    assertThat(deviation.loss()).isLessThan(tolerance);
  }
}
