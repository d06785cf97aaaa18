package dev.anneal.training.trainer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.training.Golden;
import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.optim.AdamWSpec;
import dev.anneal.training.optim.LearningRateSchedule;
import dev.anneal.training.tensor.DType;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A reference run of transformers, set up for Anneal: of adapters with PEFT, or of every weight
 * ({@code bench/peft/full.py}).
 */
record ReferenceRun(Path folder, JsonNode reference) {
  private static final ObjectMapper JSON = new ObjectMapper();

  static ReferenceRun load() throws IOException {
    Path folder = Golden.path("model").getParent();
    return new ReferenceRun(folder, JSON.readTree(folder.resolve("reference.json").toFile()));
  }

  /** The run of every weight. */
  static ReferenceRun loadFull() throws IOException {
    return load("full_tuning_reference.json");
  }

  /** The run of a variant of LoRA ({@code bench/peft/variants_reference.py}). */
  static ReferenceRun loadVariant(String variant) throws IOException {
    return load(variant + "_reference.json");
  }

  private static ReferenceRun load(String resource) throws IOException {
    Path folder = Golden.path("model").getParent();
    try (InputStream json = ReferenceRun.class.getResourceAsStream(resource)) {
      return new ReferenceRun(folder, JSON.readTree(json));
    }
  }

  private boolean isFull() {
    return !reference.has("lora");
  }

  LocalModelFolder model() {
    return new LocalModelFolder(folder.resolve("model"));
  }

  LoraSpec lora() {
    JsonNode lora = reference.get("lora");
    List<String> targets = new ArrayList<>();
    lora.get("target_modules").forEach(target -> targets.add(target.asText()));
    return new LoraSpec(
        lora.get("r").asInt(), lora.get("lora_alpha").asDouble(), 0, false, targets);
  }

  /** The recipe, with its global batch dealt to {@code worldSize} ranks. */
  TrainingSpec spec(int worldSize) {
    JsonNode recipe = reference.get("recipe");
    long steps = recipe.get("total_steps").asLong();
    return new TrainingSpec(
        isFull() ? TrainingSpec.Mode.FULL : TrainingSpec.Mode.LORA,
        isFull() ? null : lora(),
        Recipe.whole(DType.FP32),
        new TrainingSpec.Compute(DType.FP32, Matmul.COMPUTE, KeptActivations.INPUTS),
        new TrainingSpec.Batches(
            recipe.get("micro_batch").asInt(),
            recipe.get("gradient_accumulation").asInt() / worldSize,
            steps,
            false),
        updates(recipe, steps),
        0,
        TrainingSpec.Evaluation.atBothEnds(0));
  }

  private static TrainingSpec.Updates updates(JsonNode recipe, long steps) {
    return new TrainingSpec.Updates(
        new AdamWSpec(
            recipe.get("learning_rate").asDouble(),
            recipe.get("weight_decay").asDouble(),
            recipe.get("betas").get(0).asDouble(),
            recipe.get("betas").get(1).asDouble(),
            recipe.get("eps").asDouble()),
        new LearningRateSchedule(
            LearningRateSchedule.Type.LINEAR, recipe.get("warmup_steps").asLong(), steps),
        recipe.get("max_grad_norm").asDouble(),
        TrainingSpec.OnNan.STOP);
  }

  List<TokenSequence> rows() throws IOException {
    List<TokenSequence> rows = new ArrayList<>();
    for (String line : Files.readAllLines(folder.resolve("rows.jsonl"))) {
      JsonNode row = JSON.readTree(line);
      int[] ids = new int[row.get("input_ids").size()];
      for (int i = 0; i < ids.length; i++) {
        ids[i] = row.get("input_ids").get(i).asInt();
      }
      int[] spans = {row.get("prompt_length").asInt(), ids.length};
      rows.add(new TokenSequence(ids, new int[] {ids.length}, spans));
    }
    return rows;
  }

  /**
   * Trains from the reference's first adapter, or every weight, and returns every step's metrics.
   */
  List<StepMetrics> train(TrainingSpec spec, Collectives collectives, Path output)
      throws IOException {
    return train(spec, Ranks.onCpu(collectives), output);
  }

  List<StepMetrics> train(TrainingSpec spec, Ranks ranks, Path output) throws IOException {
    RecordingListener listener = new RecordingListener();
    LocalModelFolder adapter = isFull() ? null : adapter("adapter_init");
    TrainingRun.run(spec, inputs(adapter, rows(), output), ranks, listener);
    return listener.steps();
  }

  /** One of the reference's adapters. */
  LocalModelFolder adapter(String name) {
    return new LocalModelFolder(folder.resolve(name));
  }

  /** A run on {@code rows} alone. */
  TrainingRun.Inputs inputs(ModelFolder initAdapter, List<TokenSequence> rows, Path output) {
    return new TrainingRun.Inputs(
        new ModelSource.Folder(model()),
        initAdapter,
        source(rows),
        null,
        List.of(),
        "tiny-llama31",
        new LocalOutputFolder(output),
        CheckpointPlan.NONE);
  }

  /** A run that is also measured on {@code eval} and shows how it continues {@code prompts}. */
  TrainingRun.Inputs inputs(
      ModelFolder initAdapter,
      List<TokenSequence> rows,
      List<TokenSequence> eval,
      List<int[]> prompts,
      Path output) {
    return new TrainingRun.Inputs(
        new ModelSource.Folder(model()),
        initAdapter,
        source(rows),
        source(eval),
        prompts,
        "tiny-llama31",
        new LocalOutputFolder(output),
        CheckpointPlan.NONE);
  }

  /** {@code inputs} with checkpoints. */
  static TrainingRun.Inputs with(TrainingRun.Inputs inputs, CheckpointPlan checkpoints) {
    return new TrainingRun.Inputs(
        inputs.model(),
        inputs.initAdapter(),
        inputs.train(),
        inputs.eval(),
        inputs.samplePrompts(),
        inputs.baseModelName(),
        inputs.output(),
        checkpoints);
  }

  static SequenceSource source(List<TokenSequence> rows) {
    return new SequenceSource() {
      @Override
      public long size() {
        return rows.size();
      }

      @Override
      public TokenSequence read(long index) {
        return rows.get((int) index);
      }

      @Override
      public void close() {}
    };
  }
}
