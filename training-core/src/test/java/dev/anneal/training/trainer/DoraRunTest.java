package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.io.CheckpointIndex;
import dev.anneal.training.io.FileContent;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsWriter;
import dev.anneal.training.io.TensorSpec;
import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.AdapterCheck;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.lora.LoraVariant;
import dev.anneal.training.lora.PeftConfig;
import dev.anneal.training.merge.MergeInputs;
import dev.anneal.training.merge.MergePiece;
import dev.anneal.training.merge.MergePlan;
import dev.anneal.training.merge.MergeProof;
import dev.anneal.training.merge.MergedTensors;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.FrozenWeights.Shard;
import dev.anneal.training.weights.reader.CheckpointWeights;
import java.io.IOException;
import java.io.OutputStream;
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
  private LlamaConfig config;

  @BeforeEach
  void load() throws IOException {
    reference = ReferenceRun.load(LoraVariant.DORA);
    config = LlamaConfig.read(reference.model());
  }

  @Test
  void everyStepTheFinalAdapterItsLogitsAndItsMergeEqualPefts() throws IOException {
    Path initial = folder.resolve("initial");
    train(spec().steps(0), null, 1, folder.resolve("fresh"));
    double magnitudes = deviation(folder.resolve("fresh"), reference.reference().get("initial"));
    compose(initial, folder.resolve("fresh"));

    Path adapter = folder.resolve("adapter");
    List<StepMetrics> steps = train(spec(), initial, 1, adapter);
    ReferenceRunTest.Deviation deviation =
        ReferenceRunTest.Deviation.of(steps, reference.reference().get("steps"));
    double values = deviation(adapter, reference.reference().get("final"));
    double logits = logits(adapter);
    double merged = merged(adapter);
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
    train(spec().steps(1), null, 1, folder);
    JsonNode written = JSON.readTree(folder.resolve(PeftConfig.FILE).toFile());
    assertThat(written.get("use_dora").asBoolean()).isTrue();
    try (CheckpointIndex index =
        CheckpointIndex.open(new LocalModelFolder(folder), CheckpointIndex.ADAPTER_FILE)) {
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
    LoraLayout layout = LoraLayout.of(lora(), config);
    assertThatThrownBy(
            () -> AdapterCheck.check(reference.adapter("adapter_init"), config, layout))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("has the setting use_dora false but this run has true");
  }

  /** Each rank has a part of every layer, of its scales and of the magnitudes. */
  @Test
  void ranksThatShareFp8WeightsTrainAsOneThatHasThem() throws Exception {
    Recipe recipe = spec().baseDtype(DType.FP8).computeDtype(DType.BF16).steps(4);
    List<StepMetrics> one = train(recipe, null, 1, folder.resolve("one"));
    List<StepMetrics> two = train(recipe.shard(Shard.WORLD), null, 2, folder.resolve("two"));
    for (int i = 0; i < one.size(); i++) {
      assertThat(dev.anneal.training.Deviation.relative(two.get(i).loss(), one.get(i).loss()))
          .isLessThan(1e-6);
    }
    assertThat(ReferenceRunTest.adapterDeviation(folder.resolve("one"), folder.resolve("two")))
        .isLessThan(1e-6);
    // the lengths of what FP8 has made of the weights
    train(recipe.shard(Shard.NONE).steps(0), null, 1, folder.resolve("rounded"));
    assertThat(deviation(folder.resolve("rounded"), reference.reference().get("initial")))
        .isBetween(1e-6, 1e-2);
  }

  private LoraSpec lora() {
    return reference.lora().as(LoraVariant.DORA);
  }

  private Recipe spec() {
    return Recipe.from(reference.spec(1)).lora(lora());
  }

  private List<StepMetrics> train(Recipe recipe, Path initial, int worldSize, Path output)
      throws IOException {
    TrainingRun.Inputs inputs =
        reference.inputs(
            initial == null ? null : new LocalModelFolder(initial), reference.rows(), output);
    RecordingListener listener = new RecordingListener();
    if (worldSize == 1) {
      TrainingRun.run(recipe.spec(), inputs, Ranks.onCpu(new SingleRank()), listener);
      return listener.steps();
    }
    TrainingSpec spec = recipe.batch(4, 2 / worldSize).spec();
    try {
      assertThat(
              GlooRanks.run(
                  worldSize,
                  world ->
                      TrainingRun.run(
                          spec,
                          inputs,
                          Ranks.onCpu(world),
                          world.rank() == 0 ? listener : new RecordingListener())))
          .containsOnlyNulls();
    } catch (Exception e) {
      throw new IOException(e);
    }
    return listener.steps();
  }

  /** The reference's A and B beside the magnitudes of {@code fresh}. */
  private void compose(Path into, Path fresh) throws IOException {
    Files.createDirectories(into);
    Files.copy(fresh.resolve(PeftConfig.FILE), into.resolve(PeftConfig.FILE));
    List<TensorSpec> specs = new ArrayList<>();
    for (List<Parameters.Shape> layer :
        LoraModel.shapes(config, LoraLayout.of(lora(), config))) {
      layer.forEach(s -> specs.add(new TensorSpec(s.name(), SafetensorsDType.F32, s.dims())));
    }
    try (CheckpointWeights factors =
            CheckpointWeights.open(
                reference.adapter("adapter_init"), CheckpointIndex.ADAPTER_FILE);
        CheckpointWeights magnitudes =
            CheckpointWeights.open(new LocalModelFolder(fresh), CheckpointIndex.ADAPTER_FILE)) {
      FileContent content =
          out ->
              SafetensorsWriter.write(
                  out,
                  specs,
                  (spec, sink) -> {
                    try (TensorScope scope = new TensorScope()) {
                      CheckpointWeights from =
                          spec.name().contains("magnitude") ? magnitudes : factors;
                      Tensor values = from.read(spec.name(), DType.FP32, spec.shape());
                      sink.write(Tensors.bytes(values, 0).asByteBuffer());
                    }
                  });
      content.writeAs(new LocalOutputFolder(into), CheckpointIndex.ADAPTER_FILE);
    }
  }

  private static double deviation(Path found, JsonNode expected) throws IOException {
    return deviation(found, CheckpointIndex.ADAPTER_FILE, expected);
  }

  private static double deviation(Path found, String file, JsonNode expected)
      throws IOException {
    LocalModelFolder model = new LocalModelFolder(found);
    double deviation = 0;
    try (CheckpointIndex index = CheckpointIndex.open(model, file);
        CheckpointWeights weights = CheckpointWeights.open(model, file)) {
      assertThat(expected).isNotEmpty();
      for (Map.Entry<String, JsonNode> tensor : expected.properties()) {
        try (TensorScope scope = new TensorScope()) {
          long[] shape = index.entry(tensor.getKey()).shape();
          Tensor values = weights.read(tensor.getKey(), DType.FP32, shape);
          deviation = Math.max(deviation, Probes.deviation(values, tensor.getValue()));
        }
      }
    }
    return deviation;
  }

  private double merged(Path adapter) throws IOException {
    MergeInputs inputs = MergeInputs.check(reference.model(), new LocalModelFolder(adapter));
    MergePiece piece = MergePlan.of(inputs, null, Long.MAX_VALUE).pieces().get(0);
    Path into = Files.createDirectories(folder.resolve("merged"));
    try (MergedTensors tensors = MergedTensors.open(inputs);
        OutputStream out = Files.newOutputStream(into.resolve(piece.file()))) {
      tensors.write(piece, out);
    }
    Files.copy(
        reference.folder().resolve("model/config.json"), into.resolve(LlamaConfig.FILE));
    assertThat(MergeProof.of(inputs, new LocalModelFolder(into), layer -> {}).largest())
        .isLessThan(1e-6);
    return deviation(into, CheckpointIndex.MODEL_FILE, reference.reference().get("merged"));
  }

  /** Of the first row, as {@code generate} and {@code evaluate} read the adapter. */
  private double logits(Path adapter) throws IOException {
    GenerationRun.Spec spec =
        new GenerationRun.Spec(
            TrainingSpec.Weights.whole(DType.FP32), DType.FP32, Matmul.COMPUTE, 1, null);
    Ranks ranks = Ranks.onCpu(new SingleRank());
    try (TensorScope scope = new TensorScope();
        Kernels kernels = Kernels.on(ranks.device());
        LoraModel model =
            ModelLoader.loadFrozen(
                new ModelSource.Folder(reference.model()),
                new LocalModelFolder(adapter),
                ModelLoader.placement(spec.weights(), spec.compute(), ranks),
                ranks,
                new RecordingListener())) {
      Llama llama = GenerationRun.llama(spec, model, ranks, kernels);
      TokenBatch batch = TokenBatch.of(reference.rows().subList(0, 1));
      long tokens = batch.inputIds().numel();
      long[] positions = new long[(int) tokens];
      for (int i = 0; i < positions.length; i++) {
        positions[i] = i;
      }
      Tensor logits = llama.logits(batch, Tensors.of(positions));
      return Probes.deviation(logits, reference.reference().at("/logits/first row"));
    }
  }
}
