package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.anneal.training.KeptOfForward;
import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.lora.ModuleNames;
import dev.anneal.training.lora.TargetModules;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The reference run on a GPU, and the settings that move bytes but change no number. */
@Tag("gpu")
class GpuRunTest {
  private static final Ranks GPU = new Ranks(Device.gpu(0), new SingleRank(), new SingleRank());

  private static final Ranks HOST = Ranks.onCpu(new SingleRank());

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
  @MethodSource("dev.anneal.training.KeptOfForward#activations")
  void bf16IsCloseToTheReference(KeptActivations activations) throws IOException {
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
    for (KeptActivations activations : KeptOfForward.activations().toList()) {
      for (double ratio : new double[] {0, 0.3, 1}) {
        assertThat(losses(fp8().activations(activations).offloadRatio(ratio)))
            .as("%s, offload_ratio %s", activations, ratio)
            .isEqualTo(expected);
      }
    }
  }

  /** Of the first layer, whose part of the parameters is empty, and other ranks in the second. */
  @Test
  void layersWithoutAdaptersAreCloseToTheHost() throws IOException {
    TargetModules targets = TargetModules.of(ModuleNames.text(".*\\.1\\..*[qvpn]_proj"));
    Map<String, Integer> ranks = Map.of("v_proj", 5, "1.*up_proj", 7);
    LoraSpec lora = new LoraSpec(3, 6, 0, false, targets, ranks, Map.of("[qvu]\\w+", 4.0));
    List<Double> onHost = fresh(Recipe.from(reference.spec(1)).lora(lora), HOST);
    List<Double> onGpu = fresh(bf16().lora(lora), GPU);
    assertThat(onGpu).hasSameSizeAs(onHost);
    for (int i = 0; i < onHost.size(); i += 2) {
      assertThat(onGpu.get(i)).as("loss %d", i / 2).isCloseTo(onHost.get(i), withinPercentage(2));
    }
  }

  /** Losses and norms from new adapters on. */
  private List<Double> fresh(Recipe recipe, Ranks ranks) throws IOException {
    RecordingListener listener = new RecordingListener();
    Path folder = output.resolve(ranks.device().toString());
    TrainingRun.run(
        recipe.spec(), reference.inputs(null, reference.rows(), folder), ranks, listener);
    return RecordingListener.numbers(listener.steps());
  }

  @Test
  void dropoutGoesTheReferencesWay() throws IOException {
    List<Double> losses = losses(bf16().dropout(0.1));
    assertThat(losses).isEqualTo(losses(bf16().dropout(0.1))).isNotEqualTo(losses(bf16()));
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"FP32", "BF16", "FP8"})
  void resumedRunEqualsTheUndisturbedOne(DType baseDtype) throws IOException {
    Recipe recipe =
        switch (baseDtype) {
          case FP32 -> Recipe.from(reference.spec(1));
          case BF16 -> bf16();
          case FP8 -> fp8();
        };
    LocalCheckpoints checkpoints = new LocalCheckpoints(output.resolve("checkpoints"));
    List<StepMetrics> whole = train(recipe, "whole", checkpoints.every(3));
    assertThat(checkpoints.failures()).isEmpty();
    assertThat(checkpoints.complete()).contains(3L);
    List<StepMetrics> resumed = train(recipe, "resumed", checkpoints.every(0, 3));
    assertThat(RecordingListener.numbers(resumed))
        .isEqualTo(RecordingListener.numbers(whole.subList(3, whole.size())))
        .isNotEmpty();
    assertThat(output.resolve("resumed").resolve(SafetensorsIndex.ADAPTER_FILE))
        .hasSameBinaryContentAs(output.resolve("whole").resolve(SafetensorsIndex.ADAPTER_FILE));
  }

  private List<StepMetrics> train(Recipe recipe, String name, CheckpointPlan plan)
      throws IOException {
    RecordingListener listener = new RecordingListener();
    TrainingRun.Inputs inputs =
        reference.inputs(reference.adapter("adapter_init"), reference.rows(), output.resolve(name));
    TrainingRun.run(recipe.spec(), ReferenceRun.with(inputs, plan), GPU, listener);
    return listener.steps();
  }

  private static Recipe bf16() {
    return Recipe.from(reference.spec(1)).computeDtype(DType.BF16).baseDtype(DType.BF16);
  }

  private static Recipe fp8() {
    return bf16().baseDtype(DType.FP8).matmul(Matmul.FP8);
  }

  private List<Double> losses(Recipe recipe) throws IOException {
    return RecordingListener.numbers(reference.train(recipe.spec(), GPU, output));
  }

  private void assertReference(Recipe recipe, double tolerance) throws IOException {
    List<StepMetrics> steps = reference.train(recipe.spec(), GPU, output);
    ReferenceRunTest.Deviation deviation =
        ReferenceRunTest.Deviation.of(steps, reference.reference().get("steps"));
    System.out.printf(
        "GPU, %s: loss %.2e relative, grad_norm %.2e relative%n",
        recipe.spec().compute().dtype(), deviation.loss(), deviation.gradNorm());
    assertThat(deviation.loss()).isLessThan(tolerance);
  }
}
