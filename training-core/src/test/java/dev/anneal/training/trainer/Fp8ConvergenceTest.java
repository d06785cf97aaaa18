package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.Llama.Activations;
import dev.anneal.training.model.LlamaConfig;
import dev.anneal.training.model.ModelSource;
import dev.anneal.training.optim.AdamWSpec;
import dev.anneal.training.optim.LearningRateSchedule;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.weights.FrozenWeights.Shard;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** 200 steps on real Alpaca rows with a small model: FP8 ends where bf16 does. */
@Tag("gpu")
class Fp8ConvergenceTest {
  private static final int STEPS = 200;
  private static final int LAST = 20;

  @TempDir Path output;

  @Test
  void fp8EndsWithinOnePercentOfBf16() throws IOException {
    double bf16 = finalLoss(DType.BF16, Matmul.COMPUTE);
    double fp8 = finalLoss(DType.FP8, Matmul.FP8);
    System.out.printf("final loss in bf16 %.4f, in FP8 %.4f%n", bf16, fp8);
    assertThat(Math.abs(fp8 / bf16 - 1)).isLessThan(0.01);
    // there was something to learn
    assertThat(bf16).isLessThan(8);
  }

  /** The mean of the last steps. */
  private double finalLoss(DType stored, Matmul matmul) throws IOException {
    LlamaConfig shape = LlamaConfig.named("llama3.1-8b");
    LlamaConfig config =
        new LlamaConfig(
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
    TrainingSpec spec =
        new TrainingSpec(
            TrainingSpec.Mode.LORA,
            new LoraSpec(16, 32, 0, false, List.of("all-linear")),
            stored,
            Shard.NONE,
            0,
            DType.BF16,
            matmul,
            Activations.KEEP,
            8,
            1,
            STEPS,
            true,
            1.0,
            7,
            new AdamWSpec(3e-3, 0, 0.9, 0.999, 1e-8),
            new LearningRateSchedule(LearningRateSchedule.Type.LINEAR, 10, STEPS),
            0);
    RecordingListener listener = new RecordingListener();
    TrainingRun.run(
        spec,
        new TrainingRun.Inputs(
            new ModelSource.Random(config, 3),
            null,
            new Listed(rows()),
            null,
            List.of(),
            "random",
            new LocalOutputFolder(output)),
        new Ranks(Device.gpu(0), new SingleRank(), new SingleRank()),
        listener);
    return listener.steps().stream()
        .skip(STEPS - LAST)
        .mapToDouble(StepMetrics::loss)
        .average()
        .orElseThrow();
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
