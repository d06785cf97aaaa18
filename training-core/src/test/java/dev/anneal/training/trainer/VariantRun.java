package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.merge.MergeInputs;
import dev.anneal.training.merge.MergePiece;
import dev.anneal.training.merge.MergePlan;
import dev.anneal.training.merge.MergeProof;
import dev.anneal.training.merge.MergedTensors;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.reader.SafetensorsWeights;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** Runs of the reference model as a variant of LoRA, and what PEFT made of the same. */
record VariantRun(Path folder, ReferenceRun reference, LoraSpec lora) {

  Recipe recipe() {
    return Recipe.from(reference.spec(1)).lora(lora);
  }

  /**
   * Trains on ranks in this process, with the reference's global batch.
   *
   * @param initial {@code null} for a new adapter
   */
  List<StepMetrics> train(Recipe recipe, Path initial, int worldSize, Path output)
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

  /** The largest deviation of an adapter's tensors from what the reference tells of them. */
  static double deviation(Path found, JsonNode expected) throws IOException {
    return deviation(found, SafetensorsIndex.ADAPTER_FILE, expected);
  }

  private static double deviation(Path found, String file, JsonNode expected) throws IOException {
    LocalModelFolder model = new LocalModelFolder(found);
    double deviation = 0;
    try (SafetensorsIndex index = SafetensorsIndex.open(model, file);
        SafetensorsWeights weights = SafetensorsWeights.open(model, file)) {
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

  /** That of the weights that an adapter is merged into. */
  double merged(Path adapter) throws IOException {
    MergeInputs inputs = MergeInputs.check(reference.model(), new LocalModelFolder(adapter));
    MergePiece piece = MergePlan.of(inputs, null, Long.MAX_VALUE).pieces().get(0);
    Path into = Files.createDirectories(folder.resolve("merged"));
    try (MergedTensors tensors = MergedTensors.open(inputs);
        OutputStream out = Files.newOutputStream(into.resolve(piece.file()))) {
      tensors.write(piece, out);
    }
    Files.copy(reference.folder().resolve("model/config.json"), into.resolve(LlamaConfig.FILE));
    assertThat(MergeProof.of(inputs, new LocalModelFolder(into), layer -> {}).largest())
        .isLessThan(1e-6);
    return deviation(into, SafetensorsIndex.MODEL_FILE, reference.reference().get("merged"));
  }

  /** Of the first row, as {@code generate} and {@code evaluate} read the adapter. */
  double logits(Path adapter) throws IOException {
    GenerationRun.Spec spec =
        new GenerationRun.Spec(Recipe.whole(DType.FP32), DType.FP32, Matmul.COMPUTE, 1, null);
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
