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
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The run of transformers and PEFT, step by step, to the fifth digit. */
class ReferenceRunTest {
  @TempDir Path output;

  @Test
  void everyStepAndTheFinalAdapterEqualTheReference() throws IOException {
    ReferenceRun reference = ReferenceRun.load();
    List<StepMetrics> steps = reference.train(reference.spec(1), new SingleRank(), output);
    Deviation deviation = Deviation.of(steps, reference.reference().get("steps"));
    double adapter = adapterDeviation(reference.folder().resolve("adapter_final"), output);
    System.out.printf(
        "reference run: loss %.2e relative, grad_norm %.2e relative, adapter %.2e absolute%n",
        deviation.loss(), deviation.gradNorm(), adapter);
    assertThat(deviation.loss()).isLessThan(1e-5);
    assertThat(deviation.gradNorm()).isLessThan(1e-4);
    assertThat(adapter).isLessThan(1e-4);
  }

  /** The largest relative deviation of each quantity; learning rates and counts must be equal. */
  record Deviation(double loss, double gradNorm) {
    static Deviation of(List<StepMetrics> steps, JsonNode expected) {
      assertThat(steps).hasSize(expected.size());
      double loss = 0;
      double gradNorm = 0;
      for (int i = 0; i < steps.size(); i++) {
        StepMetrics step = steps.get(i);
        JsonNode row = expected.get(i);
        assertThat(step.learningRate()).isEqualTo(row.get("lr").asDouble());
        assertThat(step.targetTokens()).isEqualTo(row.get("target_tokens").asLong());
        loss = Math.max(loss, relative(step.loss(), row.get("loss").asDouble()));
        gradNorm = Math.max(gradNorm, relative(step.gradNorm(), row.get("grad_norm").asDouble()));
      }
      return new Deviation(loss, gradNorm);
    }

    private static double relative(double found, double expected) {
      return Math.abs(found - expected) / Math.abs(expected);
    }
  }

  /** The largest absolute difference between two adapters. */
  static double adapterDeviation(Path expected, Path found) throws IOException {
    LocalModelFolder expectedFolder = new LocalModelFolder(expected);
    double deviation = 0;
    try (SafetensorsIndex index =
            SafetensorsIndex.open(expectedFolder, SafetensorsIndex.ADAPTER_FILE);
        SafetensorsWeights left =
            SafetensorsWeights.open(expectedFolder, SafetensorsIndex.ADAPTER_FILE);
        SafetensorsWeights right =
            SafetensorsWeights.open(new LocalModelFolder(found), SafetensorsIndex.ADAPTER_FILE)) {
      assertThat(index.names()).isNotEmpty();
      for (String name : index.names()) {
        try (TensorScope scope = new TensorScope()) {
          long[] shape = index.entry(name).shape();
          Tensor difference =
              left.read(name, DType.FP32, shape).sub(right.read(name, DType.FP32, shape));
          deviation = Math.max(deviation, difference.abs().max().item_double());
        }
      }
    }
    return deviation;
  }
}
