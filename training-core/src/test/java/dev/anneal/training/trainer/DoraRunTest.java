package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.FileContent;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.io.SafetensorsWriter;
import dev.anneal.training.io.TensorSpec;
import dev.anneal.training.lora.AdapterCheck;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraVariant;
import dev.anneal.training.lora.PeftConfig;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.FrozenLayers.Shard;
import dev.anneal.training.weights.reader.SafetensorsWeights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** DoRA as PEFT trains, saves, loads and merges it, step by step, to the fifth digit. */
class DoraRunTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;
  private ReferenceRun reference;
  private VariantRun run;
  private LlamaConfig config;

  @BeforeEach
  void load() throws IOException {
    reference = ReferenceRun.loadVariant("dora");
    config = LlamaConfig.read(reference.model());
    run = new VariantRun(folder, reference, reference.lora().as(LoraVariant.DORA));
  }

  @Test
  void everyStepTheFinalAdapterItsLogitsAndItsMergeEqualPefts() throws IOException {
    Path initial = folder.resolve("initial");
    run.train(run.recipe().steps(0), null, 1, folder.resolve("fresh"));
    double magnitudes =
        VariantRun.deviation(folder.resolve("fresh"), reference.reference().get("initial"));
    compose(initial, folder.resolve("fresh"));

    Path adapter = folder.resolve("adapter");
    List<StepMetrics> steps = run.train(run.recipe(), initial, 1, adapter);
    ReferenceRunTest.Deviation deviation =
        ReferenceRunTest.Deviation.of(steps, reference.reference().get("steps"));
    double values = VariantRun.deviation(adapter, reference.reference().get("final"));
    double logits = run.logits(adapter);
    double merged = run.merged(adapter);
    System.out.printf(
        "DoRA: magnitudes %.1e, loss %.1e, grad_norm %.1e, adapter %.1e, logits %.1e, merged %.1e relative%n",
        magnitudes, deviation.loss(), deviation.gradNorm(), values, logits, merged);
    assertThat(magnitudes).isLessThan(1e-6);
    assertThat(deviation.loss()).isLessThan(1e-5);
    assertThat(deviation.gradNorm()).isLessThan(1e-4);
    assertThat(values).isLessThan(1e-4);
    assertThat(logits).isLessThan(1e-4);
    assertThat(merged).isLessThan(1e-4);
  }

  @Test
  void isWrittenInPeftsForm() throws IOException {
    run.train(run.recipe().steps(1), null, 1, folder);
    JsonNode written = JSON.readTree(folder.resolve(PeftConfig.FILE).toFile());
    assertThat(written.get("use_dora").asBoolean()).isTrue();
    try (SafetensorsIndex index =
        SafetensorsIndex.open(new LocalModelFolder(folder), SafetensorsIndex.ADAPTER_FILE)) {
      List<String> peft = new ArrayList<>();
      for (Map.Entry<String, JsonNode> shape : reference.reference().get("shapes").properties()) {
        peft.add(shape.getKey());
        long[] dims = JSON.convertValue(shape.getValue(), long[].class);
        assertThat(index.entry(shape.getKey()).shape()).as(shape.getKey()).isEqualTo(dims);
      }
      assertThat(index.names()).containsExactlyInAnyOrderElementsOf(peft).hasSize(63);
    }
    assertThat(PeftConfig.read(new LocalModelFolder(folder)).lora().variant())
        .isEqualTo(LoraVariant.DORA);
  }

  @Test
  void anAdapterWithoutMagnitudesIsRefused() {
    LoraLayout layout = LoraLayout.of(run.lora(), config);
    assertThatThrownBy(() -> AdapterCheck.check(reference.adapter("adapter_init"), config, layout))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("has the setting use_dora false but this run has true");
  }

  /** Each rank has a part of every layer, of its scales and of the magnitudes. */
  @Test
  void ranksThatShareFp8WeightsTrainAsOneThatHasThem() throws Exception {
    Recipe recipe = run.recipe().baseDtype(DType.FP8).computeDtype(DType.BF16).steps(4);
    List<StepMetrics> one = run.train(recipe, null, 1, folder.resolve("one"));
    List<StepMetrics> two = run.train(recipe.shard(Shard.WORLD), null, 2, folder.resolve("two"));
    for (int i = 0; i < one.size(); i++) {
      assertThat(dev.anneal.training.Deviation.relative(two.get(i).loss(), one.get(i).loss()))
          .isLessThan(1e-6);
    }
    assertThat(ReferenceRunTest.adapterDeviation(folder.resolve("one"), folder.resolve("two")))
        .isLessThan(1e-6);
    // the lengths of what FP8 has made of the weights
    run.train(recipe.shard(Shard.NONE).steps(0), null, 1, folder.resolve("rounded"));
    assertThat(
            VariantRun.deviation(folder.resolve("rounded"), reference.reference().get("initial")))
        .isBetween(1e-6, 1e-2);
  }

  /** The reference's A and B beside the magnitudes of {@code fresh}. */
  private void compose(Path into, Path fresh) throws IOException {
    Files.createDirectories(into);
    Files.copy(fresh.resolve(PeftConfig.FILE), into.resolve(PeftConfig.FILE));
    List<TensorSpec> specs = new ArrayList<>();
    for (List<Parameters.Shape> layer :
        LoraModel.shapes(config, LoraLayout.of(run.lora(), config))) {
      layer.forEach(s -> specs.add(new TensorSpec(s.name(), SafetensorsDType.F32, s.dims())));
    }
    try (SafetensorsWeights factors =
            SafetensorsWeights.open(
                reference.adapter("adapter_init"), SafetensorsIndex.ADAPTER_FILE);
        SafetensorsWeights magnitudes =
            SafetensorsWeights.open(new LocalModelFolder(fresh), SafetensorsIndex.ADAPTER_FILE)) {
      FileContent content =
          out ->
              SafetensorsWriter.write(
                  out,
                  specs,
                  (spec, sink) -> {
                    try (TensorScope scope = new TensorScope()) {
                      SafetensorsWeights from =
                          spec.name().contains("magnitude") ? magnitudes : factors;
                      Tensor values = from.read(spec.name(), DType.FP32, spec.shape());
                      sink.write(Tensors.bytes(values, 0).asByteBuffer());
                    }
                  });
      content.writeAs(new LocalOutputFolder(into), SafetensorsIndex.ADAPTER_FILE);
    }
  }
}
