package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.training.Deviation;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.lora.LoraVariant;
import dev.anneal.training.lora.PeftConfig;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.FrozenLayers.Shard;
import dev.anneal.training.weights.reader.SafetensorsWeights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * PiSSA as PEFT begins, trains, converts, loads and merges it, step by step, to the fifth digit.
 */
class PissaRunTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;
  private ReferenceRun reference;

  @BeforeEach
  void load() throws IOException {
    reference = ReferenceRun.loadVariant("pissa");
  }

  private VariantRun run(int iterations) {
    LoraSpec lora = reference.lora().as(new LoraVariant.Pissa(iterations));
    return new VariantRun(folder, reference, lora);
  }

  @Test
  void everyStepTheConvertedAdapterItsLogitsAndItsMergeEqualPefts() throws IOException {
    VariantRun run = run(0);
    Path adapter = folder.resolve("adapter");
    List<StepMetrics> steps = run.train(run.recipe(), null, 1, adapter);
    ReferenceRunTest.Deviation deviation =
        ReferenceRunTest.Deviation.of(steps, reference.reference().get("steps"));
    double product = product(adapter, "final");
    double logits = run.logits(adapter);
    double merged = run.merged(adapter);
    System.out.printf(
        "PiSSA: loss %.1e, grad_norm %.1e, adapter %.1e, logits %.1e, merged %.1e relative%n",
        deviation.loss(), deviation.gradNorm(), product, logits, merged);
    assertThat(deviation.loss()).isLessThan(1e-5);
    assertThat(deviation.gradNorm()).isLessThan(1e-4);
    assertThat(product).isLessThan(1e-3);
    assertThat(logits).isLessThan(1e-4);
    assertThat(merged).isLessThan(1e-4);
  }

  @Test
  void isPublishedWithTwiceTheRankForTheOriginalModel() throws IOException {
    VariantRun run = run(0);
    run.train(run.recipe().steps(0), null, 1, folder);
    JsonNode written = JSON.readTree(folder.resolve(PeftConfig.FILE).toFile());
    JsonNode peft = reference.reference().get("config");
    for (String key : List.of("r", "lora_alpha", "use_rslora", "init_lora_weights", "use_dora")) {
      assertThat(written.get(key)).as(key).isEqualTo(peft.get(key));
    }
    try (SafetensorsIndex index =
        SafetensorsIndex.open(new LocalModelFolder(folder), SafetensorsIndex.ADAPTER_FILE)) {
      JsonNode shapes = reference.reference().get("shapes");
      assertThat(index.names()).hasSize(shapes.size());
      for (Map.Entry<String, JsonNode> shape : shapes.properties()) {
        long[] dims = JSON.convertValue(shape.getValue(), long[].class);
        assertThat(index.entry(shape.getKey()).shape()).as(shape.getKey()).isEqualTo(dims);
      }
    }
    // nothing was trained: it changes nothing
    assertThat(largestProduct(folder)).isZero();
  }

  /** Ranks factor a part of the weights each, and have a part of what is left of every one. */
  @Test
  void ranksThatShareFp8WeightsTrainAsOneThatHasThem() throws Exception {
    VariantRun run = run(2);
    Recipe recipe = run.recipe().baseDtype(DType.FP8).computeDtype(DType.BF16).steps(4);
    List<StepMetrics> one = run.train(recipe, null, 1, folder.resolve("one"));
    List<StepMetrics> two = run.train(recipe.shard(Shard.WORLD), null, 2, folder.resolve("two"));
    for (int i = 0; i < one.size(); i++) {
      assertThat(Deviation.relative(two.get(i).loss(), one.get(i).loss())).isLessThan(1e-6);
    }
    assertThat(ReferenceRunTest.adapterDeviation(folder.resolve("one"), folder.resolve("two")))
        .isLessThan(1e-6);
    // FP8 rounds what is left, not the part that trains
    List<StepMetrics> plain =
        run.train(recipe.shard(Shard.NONE).lora(reference.lora()).steps(1), null, 1, folder);
    double expected = reference.reference().at("/steps/0/loss").asDouble();
    assertThat(Deviation.relative(one.get(0).loss(), expected)).isLessThan(1e-2);
    assertThat(one.get(0).loss()).isNotEqualTo(plain.get(0).loss());
  }

  @Test
  void moreSingularValuesThanAWeightHasAreRefused() throws IOException {
    LlamaConfig config = LlamaConfig.read(reference.model());
    LoraSpec lora = new LoraSpec(65, 8, 0, false, List.of("q_proj"));
    LoraLayout layout = LoraLayout.of(lora.as(new LoraVariant.Pissa(0)), config);
    assertThatThrownBy(() -> layout.requireSingularValues(config))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("65 singular values of model.layers.0.self_attn.q_proj");
    LoraLayout.of(lora, config).requireSingularValues(config);
  }

  /** The largest deviation of a module's {@code scale * B A} from what the reference tells. */
  private double product(Path adapter, String key) throws IOException {
    double deviation = 0;
    for (Map.Entry<String, JsonNode> module : reference.reference().get(key).properties()) {
      try (TensorScope scope = new TensorScope()) {
        deviation =
            Math.max(deviation, Probes.deviation(product(adapter, module), module.getValue()));
      }
    }
    return deviation;
  }

  private double largestProduct(Path adapter) throws IOException {
    double largest = 0;
    for (Map.Entry<String, JsonNode> module : reference.reference().get("final").properties()) {
      try (TensorScope scope = new TensorScope()) {
        largest = Math.max(largest, product(adapter, module).abs().max().item_double());
      }
    }
    return largest;
  }

  private Tensor product(Path adapter, Map.Entry<String, JsonNode> module) throws IOException {
    LocalModelFolder found = new LocalModelFolder(adapter);
    String a = module.getKey() + ".lora_A.weight";
    String b = module.getKey() + ".lora_B.weight";
    try (SafetensorsIndex index = SafetensorsIndex.open(found, SafetensorsIndex.ADAPTER_FILE);
        SafetensorsWeights weights =
            SafetensorsWeights.open(found, SafetensorsIndex.ADAPTER_FILE)) {
      return weights
          .read(b, DType.FP32, index.entry(b).shape())
          .matmul(weights.read(a, DType.FP32, index.entry(a).shape()))
          .mul(Tensors.scalar(2));
    }
  }
}
