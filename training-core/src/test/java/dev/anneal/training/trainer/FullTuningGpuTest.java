package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.KeptOfForward;
import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.collective.NcclPair;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelCheck;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Every weight trained on one GPU and on two, held against transformers as adapters are. */
@Tag("gpu")
class FullTuningGpuTest {
  private static final Ranks GPU = new Ranks(Device.gpu(0), new SingleRank(), new SingleRank());

  private static ReferenceRun reference;

  @TempDir Path output;

  @BeforeAll
  static void load() throws IOException {
    reference = ReferenceRun.loadFull();
  }

  @Test
  void fp32EqualsTheReference() throws IOException {
    List<StepMetrics> steps = reference.train(recipe(DType.FP32, 1).spec(), GPU, output);
    assertReference("GPU, fp32", steps, 1e-4);
    assertModel("GPU, fp32");
  }

  @ParameterizedTest
  @MethodSource("dev.anneal.training.KeptOfForward#activations")
  void bf16IsCloseToTheReference(KeptActivations activations) throws IOException {
    TrainingSpec spec = recipe(DType.BF16, 1).activations(activations).spec();
    assertReference("GPU, bf16, " + activations, reference.train(spec, GPU, output), 2e-2);
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"FP32", "BF16"})
  void whatIsKeptOfTheForwardChangesNoNumber(DType dtype) throws IOException {
    List<Double> expected =
        RecordingListener.numbers(reference.train(recipe(dtype, 1).spec(), GPU, output));
    for (KeptActivations activations : KeptOfForward.activations().toList()) {
      TrainingSpec spec = recipe(dtype, 1).activations(activations).spec();
      assertThat(RecordingListener.numbers(reference.train(spec, GPU, output)))
          .as("losses and norms, %s, in a run of its own", activations)
          .isEqualTo(expected);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"FP32", "BF16"})
  void resumedRunEqualsTheUndisturbedOne(DType dtype) throws IOException {
    LocalCheckpoints checkpoints = new LocalCheckpoints(output.resolve("checkpoints"));
    List<StepMetrics> whole = train(recipe(dtype, 1), GPU, "whole", checkpoints.every(3));
    assertThat(checkpoints.failures()).as("checkpoints that failed").isEmpty();
    assertThat(checkpoints.complete()).as("steps with a checkpoint").contains(3L);
    List<StepMetrics> resumed = train(recipe(dtype, 1), GPU, "resumed", checkpoints.every(0, 3));
    assertResumed(whole, resumed);
  }

  @Test
  void theWrittenModelIsTheTrainedOne() throws IOException {
    ModelSource first = new ModelSource.Folder(reference.model());
    List<Double> trained = evaluations(recipe(DType.BF16, 1), first, "first");
    LocalModelFolder written = new LocalModelFolder(output.resolve("first"));
    ModelCheck.check(written);
    List<Double> again =
        evaluations(recipe(DType.BF16, 1).steps(0), new ModelSource.Folder(written), "second");
    assertThat(trained).as("held-out losses before and after training").doesNotHaveDuplicates();
    assertThat(again.get(0))
        .as("held-out loss of the model that was written")
        .isEqualTo(trained.get(1));
  }

  private List<Double> evaluations(Recipe recipe, ModelSource model, String name)
      throws IOException {
    RecordingListener listener = new RecordingListener();
    TrainingRun.run(
        recipe.spec(), inputs(model, reference.rows().subList(0, 9), name), GPU, listener);
    return listener.evaluations();
  }

  @Test
  void aModelThatCannotFitIsRefusedBeforeMemoryIsTaken() throws IOException {
    LlamaConfig huge = LlamaConfig.named("llama3.1-405b");
    TrainingRun.Inputs inputs = inputs(new ModelSource.Random(huge, 1), null, "huge");
    RecordingListener listener = new RecordingListener();
    assertThatThrownBy(() -> TrainingRun.run(recipe(DType.BF16, 1).spec(), inputs, GPU, listener))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("training.mode is full, and 405.9 billion weights")
        .hasMessageContaining("set training.mode=lora");
  }

  @ParameterizedTest
  @CsvSource({"FP32, 1e-4", "BF16, 2e-2"})
  void twoGpusEqualTheReference(DType dtype, double tolerance) throws Exception {
    NcclPair.assumeGpus(2);
    List<List<StepMetrics>> steps = onTwo(dtype, "two", CheckpointPlan.NONE);
    assertReference("two GPUs, " + dtype, steps.get(0), tolerance);
    assertThat(RecordingListener.numbers(steps.get(1)))
        .as("losses and norms that rank 1 tells")
        .isEqualTo(RecordingListener.numbers(steps.get(0)));
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"FP32", "BF16"})
  void resumedRunOnTwoGpusEqualsTheUndisturbedOne(DType dtype) throws Exception {
    NcclPair.assumeGpus(2);
    LocalCheckpoints checkpoints = new LocalCheckpoints(output.resolve("checkpoints"));
    List<StepMetrics> whole = onTwo(dtype, "whole", checkpoints.every(3)).get(0);
    assertThat(checkpoints.failures()).as("checkpoints that failed").isEmpty();
    assertThat(checkpoints.complete()).as("steps with a checkpoint").contains(3L);
    assertResumed(whole, onTwo(dtype, "resumed", checkpoints.every(0, 3)).get(0));
  }

  private List<List<StepMetrics>> onTwo(DType dtype, String name, CheckpointPlan plan)
      throws Exception {
    return NcclRanks.run(2, ranks -> train(recipe(dtype, 2), ranks, name, plan));
  }

  private void assertResumed(List<StepMetrics> whole, List<StepMetrics> resumed) {
    assertThat(RecordingListener.numbers(resumed))
        .as("losses and norms after the checkpoint of step 3")
        .isEqualTo(RecordingListener.numbers(whole.subList(3, whole.size())))
        .isNotEmpty();
    assertThat(output.resolve("resumed").resolve(SafetensorsIndex.MODEL_FILE))
        .hasSameBinaryContentAs(output.resolve("whole").resolve(SafetensorsIndex.MODEL_FILE));
  }

  private List<StepMetrics> train(Recipe recipe, Ranks ranks, String name, CheckpointPlan plan)
      throws IOException {
    RecordingListener listener = new RecordingListener();
    TrainingRun.Inputs inputs = reference.inputs(null, reference.rows(), output.resolve(name));
    TrainingRun.run(recipe.spec(), ReferenceRun.with(inputs, plan), ranks, listener);
    return listener.steps();
  }

  /**
   * @param eval held-out rows, or {@code null}
   */
  private TrainingRun.Inputs inputs(ModelSource model, List<TokenSequence> eval, String name)
      throws IOException {
    return new TrainingRun.Inputs(
        model,
        null,
        ReferenceRun.source(reference.rows()),
        eval == null ? null : ReferenceRun.source(eval),
        List.of(),
        "tiny-llama31",
        new LocalOutputFolder(output.resolve(name)),
        CheckpointPlan.NONE);
  }

  private static Recipe recipe(DType computeDtype, int worldSize) {
    return Recipe.from(reference.spec(worldSize)).computeDtype(computeDtype);
  }

  private static void assertReference(String what, List<StepMetrics> steps, double tolerance) {
    ReferenceRunTest.Deviation deviation =
        ReferenceRunTest.Deviation.of(steps, reference.reference().get("steps"));
    System.out.printf(
        "full tuning, %s: loss %.2e relative, grad_norm %.2e relative%n",
        what, deviation.loss(), deviation.gradNorm());
    assertThat(deviation.loss())
        .as("relative deviation of the loss, %s", what)
        .isLessThan(tolerance);
  }

  private void assertModel(String what) throws IOException {
    double deviation = FullTuningReferenceTest.modelDeviation(reference, output);
    System.out.printf("full tuning, %s: final model %.2e relative%n", what, deviation);
    assertThat(deviation).as("relative deviation of the final model").isLessThan(1e-3);
  }
}
