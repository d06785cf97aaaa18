package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@link ObjectiveReferenceTest} on a GPU: by autograd in fp32, by the fused layers in bf16. */
@Tag("gpu")
class ObjectiveGpuTest {
  @TempDir Path output;

  @ParameterizedTest
  @CsvSource({
    "label_smoothing, FP32, 1e-4",
    "row, FP32, 1e-4",
    "neftune, FP32, 1e-4",
    "full_all, FP32, 1e-4",
    "label_smoothing, BF16, 2e-2",
    "row, BF16, 2e-2",
    "neftune, BF16, 2e-2",
    "full_all, BF16, 2e-2"
  })
  void everyStepIsCloseToTheReference(String run, DType dtype, double bound) throws IOException {
    JsonNode expected = ObjectiveReferenceTest.reference(run);
    TrainingSpec spec =
        ObjectiveReferenceTest.recipe(expected.get("keys"))
            .baseDtype(dtype)
            .computeDtype(dtype)
            .spec();
    Ranks gpu = new Ranks(Device.gpu(0), new SingleRank(), new SingleRank());
    List<StepMetrics> steps =
        ObjectiveReferenceTest.run(expected.get("keys")).train(spec, gpu, output);
    ReferenceRunTest.Deviation deviation =
        ReferenceRunTest.Deviation.of(steps, expected.get("steps"));
    System.out.printf(
        "%s, %s on a GPU: loss %.2e relative, grad_norm %.2e relative%n",
        run, dtype, deviation.loss(), deviation.gradNorm());
    assertThat(deviation.loss()).isLessThan(bound);
  }
}
