package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Deviation;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.io.TensorEntry;
import dev.anneal.training.lora.AdapterCheck;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.lora.PeftConfig;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a LoRA recipe's settings do to a run of the reference model. */
class LoraRunTest {
  @TempDir Path output;
  private ReferenceRun reference;

  @BeforeEach
  void load() throws IOException {
    reference = ReferenceRun.load();
  }

  @Test
  void rsloraScalesByTheRootOfTheRank() throws IOException {
    List<StepMetrics> rslora = train(recipe(new LoraSpec(4, 8, 0, true, List.of("q_proj"))), null);
    List<StepMetrics> plain = train(recipe(new LoraSpec(4, 16, 0, false, List.of("q_proj"))), null);
    List<StepMetrics> unscaled =
        train(recipe(new LoraSpec(4, 8, 0, false, List.of("q_proj"))), null);
    assertThat(losses(rslora)).isEqualTo(losses(plain)).isNotEqualTo(losses(unscaled));
  }

  @Test
  void onlyTheChosenModulesAreTrainedAndWrittenUnderPeftsNames() throws IOException {
    LoraSpec lora = new LoraSpec(4, 8, 0, false, List.of("v_proj", "down_proj"));
    train(recipe(lora), null);
    ModelFolder adapter = new LocalModelFolder(output);
    LlamaConfig config = LlamaConfig.read(reference.model());
    AdapterCheck.check(adapter, config, LoraLayout.of(lora, config));
    try (SafetensorsIndex found = SafetensorsIndex.open(adapter, SafetensorsIndex.ADAPTER_FILE);
        SafetensorsIndex peft = open("adapter_final")) {
      List<String> expected =
          peft.names().stream()
              .filter(name -> name.contains("v_proj") || name.contains("down_proj"))
              .toList();
      assertThat(found.names()).containsExactlyInAnyOrderElementsOf(expected).hasSize(12);
    }
  }

  @Test
  void freshAdapterBeginsAsTheBaseModelAndLearns() throws IOException {
    List<StepMetrics> fresh = train(recipe(reference.lora()).steps(4), null);
    List<StepMetrics> zeroB = train(recipe(reference.lora()).steps(4), init("adapter_init"));
    assertThat(fresh.get(0).loss()).isEqualTo(zeroB.get(0).loss());
    assertThat(fresh.get(3).loss()).isNotEqualTo(zeroB.get(3).loss());
  }

  @Test
  void noStepsWriteTheAdapterThatWasReadBackAsItWas() throws IOException {
    train(recipe(reference.lora()).steps(0), init("adapter_final"));
    Path expected = reference.folder().resolve("adapter_final");
    assertThat(ReferenceRunTest.adapterDeviation(expected, output)).isZero();
    assertThat(PeftConfig.read(new LocalModelFolder(output)).lora().scale())
        .isEqualTo(PeftConfig.read(init("adapter_final")).lora().scale());
    try (SafetensorsIndex found =
            SafetensorsIndex.open(new LocalModelFolder(output), SafetensorsIndex.ADAPTER_FILE);
        SafetensorsIndex peft = open("adapter_final")) {
      assertThat(found.names()).containsExactlyInAnyOrderElementsOf(peft.names());
      for (String name : peft.names()) {
        TensorEntry entry = peft.entry(name);
        assertThat(found.entry(name).dtype()).as(name).isEqualTo(entry.dtype());
        assertThat(found.entry(name).shape()).as(name).isEqualTo(entry.shape());
      }
    }
  }

  @Test
  void trainingGoesOnFromAnAdapterWrittenBefore() throws IOException {
    train(recipe(reference.lora()).steps(3), init("adapter_init"));
    ModelFolder written = new LocalModelFolder(output);
    double before = train(recipe(reference.lora()).steps(1), written).get(0).loss();
    double again = train(recipe(reference.lora()).steps(1), written).get(0).loss();
    double fresh = train(recipe(reference.lora()).steps(1), null).get(0).loss();
    assertThat(before).isNotEqualTo(fresh);
    assertThat(again).isNotEqualTo(before);
  }

  @Test
  void recomputedLayersDropWhatTheyDroppedBefore() throws IOException {
    Recipe recipe = recipe(reference.lora()).dropout(0.4);
    List<Double> recomputed =
        losses(train(recipe.activations(KeptActivations.INPUTS), init("adapter_final")));
    List<Double> kept =
        losses(train(recipe.activations(KeptActivations.ALL), init("adapter_final")));
    List<Double> undropped = losses(train(recipe.dropout(0), init("adapter_final")));
    assertThat(kept).isEqualTo(recomputed).isNotEqualTo(undropped);
  }

  @Test
  void everyMicroBatchDropsElementsOfItsOwn() throws IOException {
    List<TokenSequence> sameRow = Collections.nCopies(8, reference.rows().get(3));
    Recipe recipe = recipe(reference.lora()).dropout(0.4).constantLearningRate(0);
    List<Double> single = losses(train(recipe.batch(1, 1), init("adapter_final"), sameRow));
    List<Double> accumulated = losses(train(recipe.batch(1, 2), init("adapter_final"), sameRow));
    // the weights stay, so only masks tell the steps and the micro-batches of a step apart
    assertThat(single).doesNotHaveDuplicates();
    assertThat(accumulated).doesNotHaveDuplicates().doesNotContainAnyElementsOf(single);
    List<Double> undropped =
        losses(train(recipe.dropout(0).batch(1, 1), init("adapter_final"), sameRow));
    assertThat(undropped).containsOnly(undropped.get(0));
  }

  @Test
  void accumulatedMicroBatchesMakeOneGlobalBatch() throws IOException {
    List<StepMetrics> whole = train(recipe(reference.lora()).batch(8, 1), init("adapter_init"));
    List<StepMetrics> parts = train(recipe(reference.lora()).batch(2, 4), init("adapter_init"));
    for (int i = 0; i < whole.size(); i++) {
      assertThat(parts.get(i).targetTokens()).isEqualTo(whole.get(i).targetTokens());
      assertThat(parts.get(i).tokens()).isEqualTo(whole.get(i).tokens());
      assertThat(Deviation.relative(parts.get(i).loss(), whole.get(i).loss())).isLessThan(1e-6);
      assertThat(Deviation.relative(parts.get(i).gradNorm(), whole.get(i).gradNorm()))
          .isLessThan(1e-5);
    }
  }

  @Test
  void bf16ComputeStaysNearFp32() throws IOException {
    Recipe recipe = Recipe.from(reference.spec(1)).baseDtype(DType.BF16);
    List<StepMetrics> fp32 = train(recipe, init("adapter_init"));
    List<StepMetrics> bf16 = train(recipe.computeDtype(DType.BF16), init("adapter_init"));
    double loss = 0;
    double gradNorm = 0;
    for (int i = 0; i < fp32.size(); i++) {
      loss = Math.max(loss, Deviation.relative(bf16.get(i).loss(), fp32.get(i).loss()));
      gradNorm =
          Math.max(gradNorm, Deviation.relative(bf16.get(i).gradNorm(), fp32.get(i).gradNorm()));
    }
    System.out.printf("bf16 compute: loss %.2e, grad_norm %.2e relative%n", loss, gradNorm);
    assertThat(loss).isPositive().isLessThan(1e-2);
    assertThat(gradNorm).isLessThan(5e-2);
    List<StepMetrics> kept = train(recipe.activations(KeptActivations.ALL), init("adapter_init"));
    assertThat(losses(kept)).isEqualTo(losses(bf16));
  }

  /** Three steps of the reference's recipe without its warm-up. */
  private Recipe recipe(LoraSpec lora) {
    return Recipe.from(reference.spec(1)).lora(lora).steps(3).constantLearningRate(0.01);
  }

  private ModelFolder init(String adapter) {
    return reference.adapter(adapter);
  }

  private SafetensorsIndex open(String adapter) throws IOException {
    return SafetensorsIndex.open(init(adapter), SafetensorsIndex.ADAPTER_FILE);
  }

  private List<StepMetrics> train(Recipe recipe, ModelFolder initAdapter) throws IOException {
    return train(recipe, initAdapter, reference.rows());
  }

  private List<StepMetrics> train(
      Recipe recipe, ModelFolder initAdapter, List<TokenSequence> rows) {
    RecordingListener listener = new RecordingListener();
    TrainingRun.run(
        recipe.spec(),
        reference.inputs(initAdapter, rows, output),
        Ranks.onCpu(new SingleRank()),
        listener);
    return listener.steps();
  }

  private static List<Double> losses(List<StepMetrics> steps) {
    return steps.stream().map(StepMetrics::loss).toList();
  }
}
