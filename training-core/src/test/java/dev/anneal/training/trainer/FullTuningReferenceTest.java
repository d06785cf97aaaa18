package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.weights.reader.SafetensorsWeights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every weight trained as transformers trains it, step by step, to the fifth digit. */
class FullTuningReferenceTest {
  @TempDir Path output;

  @Test
  void everyStepAndTheFinalModelEqualTheReference() throws IOException {
    ReferenceRun reference = ReferenceRun.loadFull();
    assertReference("one rank", reference.train(reference.spec(1), new SingleRank(), output));
  }

  @Test
  void twoRanksEqualTheReference() throws Exception {
    ReferenceRun reference = ReferenceRun.loadFull();
    List<RecordingListener> listeners = List.of(new RecordingListener(), new RecordingListener());
    List<Throwable> thrown =
        GlooRanks.run(
            2,
            world ->
                TrainingRun.run(
                    reference.spec(2),
                    reference.inputs(null, reference.rows(), output),
                    Ranks.onCpu(world),
                    listeners.get(world.rank())));
    assertThat(thrown).containsOnlyNulls();
    assertReference("two ranks", listeners.get(0).steps());
    assertThat(listeners.get(1).steps())
        .usingRecursiveFieldByFieldElementComparatorIgnoringFields(
            "tokensPerSecond", "peakMemoryBytes", "times")
        .isEqualTo(listeners.get(0).steps());
  }

  @Test
  void bf16ComputeIsCloseToTheReference() throws IOException {
    ReferenceRun reference = ReferenceRun.loadFull();
    TrainingSpec spec = Recipe.from(reference.spec(1)).computeDtype(DType.BF16).spec();
    List<StepMetrics> steps = reference.train(spec, new SingleRank(), output);
    double loss = ReferenceRunTest.Deviation.of(steps, reference.reference().get("steps")).loss();
    System.out.printf("full tuning, bf16 compute: loss %.2e relative%n", loss);
    assertThat(loss).isPositive().isLessThan(2e-2);
  }

  private void assertReference(String what, List<StepMetrics> steps) throws IOException {
    ReferenceRun reference = ReferenceRun.loadFull();
    ReferenceRunTest.Deviation deviation =
        ReferenceRunTest.Deviation.of(steps, reference.reference().get("steps"));
    double model = modelDeviation(reference, output);
    System.out.printf(
        "full tuning, %s: loss %.2e relative, grad_norm %.2e relative, model %.2e relative%n",
        what, deviation.loss(), deviation.gradNorm(), model);
    assertThat(deviation.loss()).isLessThan(1e-5);
    assertThat(deviation.gradNorm()).isLessThan(1e-4);
    assertThat(model).isLessThan(1e-4);
  }

  /**
   * The largest deviation of what the reference tells of its final tensors, in parts of their
   * norms.
   */
  static double modelDeviation(ReferenceRun reference, Path found) throws IOException {
    LocalModelFolder folder = new LocalModelFolder(found);
    JsonNode tensors = reference.reference().get("final");
    double deviation = 0;
    try (SafetensorsIndex index = SafetensorsIndex.open(folder, SafetensorsIndex.MODEL_FILE);
        SafetensorsWeights weights = SafetensorsWeights.open(folder, SafetensorsIndex.MODEL_FILE)) {
      assertThat(index.names()).hasSize(tensors.size());
      for (Map.Entry<String, JsonNode> expected : tensors.properties()) {
        try (TensorScope scope = new TensorScope()) {
          String name = expected.getKey();
          Tensor values = weights.read(name, DType.FP32, index.entry(name).shape());
          deviation = Math.max(deviation, Probes.deviation(values, expected.getValue()));
        }
      }
    }
    return deviation;
  }
}
