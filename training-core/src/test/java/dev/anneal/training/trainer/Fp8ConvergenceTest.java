package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.optim.AdamWSpec;
import dev.anneal.training.optim.LearningRateSchedule;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * 200 steps of adapters on real Alpaca rows with a small trained model: FP8 ends where bf16 does.
 */
@Tag("gpu")
class Fp8ConvergenceTest {
  private static final int STEPS = 200;
  private static final int LAST = 20;

  /** The base model learns from the first rows, the adapters from the others. */
  private static final int BASE_ROWS = 100;

  @TempDir Path folder;

  @Test
  void fp8EndsWithinOnePercentOfBf16() throws IOException {
    List<TokenSequence> rows = rows();
    Path base = folder.resolve("base");
    List<StepMetrics> pretrained =
        train(full(), new ModelSource.Random(config(), 3), rows.subList(0, BASE_ROWS), base);
    ModelSource model = new ModelSource.Folder(new LocalModelFolder(base));
    List<TokenSequence> rest = rows.subList(BASE_ROWS, rows.size());
    List<StepMetrics> bf16 =
        train(lora(DType.BF16, Matmul.COMPUTE), model, rest, folder.resolve("bf16"));
    List<StepMetrics> fp8 = train(lora(DType.FP8, Matmul.FP8), model, rest, folder.resolve("fp8"));

    System.out.printf(
        "base %.4f to %.4f; adapters from %.4f to %.4f in bf16, %.4f in FP8%n",
        pretrained.get(0).loss(), last(pretrained), bf16.get(0).loss(), last(bf16), last(fp8));
    assertThat(last(fp8) / last(bf16)).isBetween(0.99, 1.01);
    // there was something to learn
    assertThat(last(bf16)).isLessThan(0.9 * bf16.get(0).loss());
  }

  /** The mean loss of the last steps. */
  private static double last(List<StepMetrics> steps) {
    return steps.stream()
        .skip(steps.size() - LAST)
        .mapToDouble(StepMetrics::loss)
        .average()
        .orElseThrow();
  }

  private static List<StepMetrics> train(
      TrainingSpec spec, ModelSource model, List<TokenSequence> rows, Path output)
      throws IOException {
    Files.createDirectories(output);
    RecordingListener listener = new RecordingListener();
    TrainingRun.Inputs inputs =
        new TrainingRun.Inputs(
            model,
            null,
            new Listed(rows),
            null,
            List.of(),
            "small",
            new LocalOutputFolder(output),
            CheckpointPlan.NONE);
    TrainingRun.run(
        spec, inputs, new Ranks(Device.gpu(0), new SingleRank(), new SingleRank()), listener);
    return listener.steps();
  }

  private static LlamaConfig config() {
    LlamaConfig shape = LlamaConfig.named("llama3.1-8b");
    return new LlamaConfig(
        shape.vocabSize(),
        512,
        1536,
        4,
        8,
        4,
        64,
        shape.rmsNormEps(),
        shape.ropeScaling(),
        shape.ropeTheta(),
        4096,
        false,
        null,
        List.of());
  }

  private static TrainingSpec full() {
    return spec(TrainingSpec.Mode.FULL, null, DType.BF16, Matmul.COMPUTE, 1e-3);
  }

  private static TrainingSpec lora(DType stored, Matmul matmul) {
    LoraSpec lora = new LoraSpec(16, 32, 0, false, List.of("all-linear"));
    return spec(TrainingSpec.Mode.LORA, lora, stored, matmul, 2e-3);
  }

  private static TrainingSpec spec(
      TrainingSpec.Mode mode, LoraSpec lora, DType stored, Matmul matmul, double learningRate) {
    return new TrainingSpec(
        mode,
        lora,
        Recipe.whole(stored),
        new TrainingSpec.Compute(DType.BF16, matmul, KeptActivations.ALL),
        new TrainingSpec.Batches(8, 1, STEPS, true),
        new TrainingSpec.Updates(
            new AdamWSpec(learningRate, 0, 0.9, 0.999, 1e-8),
            new LearningRateSchedule(LearningRateSchedule.Type.LINEAR, 10, STEPS),
            1.0,
            TrainingSpec.OnNan.STOP),
        7,
        TrainingSpec.Evaluation.atBothEnds(0));
  }

  private static List<TokenSequence> rows() throws IOException {
    Path file = Path.of(System.getProperty("anneal.shared"), "golden", "llama31_tokens.json");
    List<TokenSequence> rows = new ArrayList<>();
    ObjectMapper json = new ObjectMapper();
    for (JsonNode row : json.readTree(file.toFile())) {
      int[] ids = json.convertValue(row.get("input_ids"), int[].class);
      int[] spans = {row.get("prompt_length").asInt(), ids.length};
      rows.add(new TokenSequence(ids, new int[] {ids.length}, spans));
    }
    return rows;
  }

  private record Listed(List<TokenSequence> rows) implements SequenceSource {
    @Override
    public long size() {
      return rows.size();
    }

    @Override
    public TokenSequence read(long index) {
      return rows.get(Math.toIntExact(index));
    }

    @Override
    public void close() {}
  }
}
