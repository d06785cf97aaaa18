package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Percentage.withPercentage;

import dev.anneal.training.Deviation;
import dev.anneal.training.LoudWeights;
import dev.anneal.training.Rows;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.reader.SafetensorsWeights;
import dev.anneal.training.weights.reader.WeightReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EvaluationTest {
  private static final int SAMPLE_TOKENS = 6;

  @TempDir Path output;
  private ReferenceRun reference;

  @BeforeEach
  void load() throws IOException {
    reference = ReferenceRun.load();
    NativeLibraries.load();
  }

  @Test
  void heldOutLossIsTheMeanOverTargetTokensOfAllRows() throws IOException {
    List<TokenSequence> rows = reference.rows().subList(0, 7);
    RecordingListener listener = evaluate(rows, List.of());
    double expected;
    try (TensorScope scope = new TensorScope()) {
      Llama llama = trainedLlama();
      double sum = 0;
      long targets = 0;
      for (TokenSequence row : rows) {
        TokenBatch batch = TokenBatch.of(List.of(row));
        Tensor logProbabilities = llama.logits(batch, batch.predictors()).log_softmax(-1);
        sum -= logProbabilities.gather(1, batch.targets().unsqueeze(1)).sum().item_double();
        targets += batch.targetTokens();
      }
      expected = sum / targets;
    }
    assertThat(listener.evaluations()).hasSize(2);
    assertThat(Deviation.relative(listener.evaluations().get(0), expected)).isLessThan(1e-6);
    assertThat(listener.evaluations().get(1)).isEqualTo(listener.evaluations().get(0));
  }

  @Test
  void samplesTakeTheLikeliestTokenEachTime() throws IOException {
    int[] prompt = reference.rows().get(2).inputIds();
    RecordingListener listener = evaluate(List.of(), List.of(prompt));
    List<Integer> expected = new ArrayList<>();
    try (TensorScope scope = new TensorScope()) {
      Llama llama = trainedLlama();
      int[] ids = prompt;
      while (expected.size() < SAMPLE_TOKENS) {
        TokenSequence row = new TokenSequence(ids, new int[] {ids.length}, new int[0]);
        Tensor logits =
            llama.logits(TokenBatch.of(List.of(row)), Tensors.of(new long[] {ids.length - 1}));
        expected.add((int) logits.argmax().item_long());
        ids = Arrays.copyOf(ids, ids.length + 1);
        ids[ids.length - 1] = expected.get(expected.size() - 1);
      }
    }
    assertThat(listener.evaluations()).isEmpty();
    assertThat(listener.samples()).hasSize(2);
    int[] found = listener.samples().get(0);
    assertThat(found).containsExactly(expected.stream().mapToInt(Integer::intValue).toArray());
  }

  /** A run of no steps on the reference's final adapter. */
  private RecordingListener evaluate(List<TokenSequence> rows, List<int[]> prompts)
      throws IOException {
    RecordingListener listener = new RecordingListener();
    ModelFolder adapter = reference.adapter("adapter_final");
    TrainingRun.run(
        Recipe.from(reference.spec(1)).batch(2, 1).steps(0).sampleTokens(SAMPLE_TOKENS).spec(),
        reference.inputs(adapter, reference.rows(), rows, prompts, output),
        Ranks.onCpu(new SingleRank()),
        listener);
    return listener;
  }

  private Llama trainedLlama() throws IOException {
    ModelFolder adapterFolder = reference.adapter("adapter_final");
    try (WeightReader base =
            SafetensorsWeights.open(reference.model(), SafetensorsIndex.MODEL_FILE);
        WeightReader adapter =
            SafetensorsWeights.open(adapterFolder, SafetensorsIndex.ADAPTER_FILE)) {
      LlamaConfig config = LlamaConfig.read(reference.model());
      return Llama.reference(
          TinyModels.lora(config, base, reference.lora(), adapter),
          Device.CPU,
          DType.FP32,
          KeptActivations.INPUTS);
    }
  }

  @Test
  void theMeanOverManyBatchesIsTakenInFp64() throws IOException {
    int batches = 2000;
    LlamaConfig config = TinyModels.config(Embeddings.UNTIED);
    List<TokenSequence> rows = Rows.random(config.vocabSize(), 3, 4, 5, 6, 7, 8);
    RecordingListener listener = new RecordingListener();
    try (TensorScope scope = new TensorScope()) {
      Llama llama =
          Llama.reference(
              TinyModels.full(config, new LoudWeights(1)),
              Device.CPU,
              DType.FP32,
              KeptActivations.INPUTS);
      double sum = 0;
      long targets = 0;
      for (TokenSequence row : rows) {
        TokenBatch batch = TokenBatch.of(List.of(row));
        sum += llama.loss(batch) * batches / rows.size();
        targets += batch.targetTokens() * (long) batches / rows.size();
      }
      TrainingRun.Inputs inputs =
          new TrainingRun.Inputs(
              null, null, null, new Repeated(rows, batches), List.of(), null, null, null);
      new Evaluator(
              Recipe.full(1, 0).batch(1, 1).spec(),
              inputs,
              config,
              llama,
              Ranks.onCpu(new SingleRank()),
              listener)
          .evaluate(0);
      assertThat(listener.evaluations().get(0)).isCloseTo(sum / targets, withPercentage(1e-10));
    }
  }

  /** The same rows again and again. */
  private record Repeated(List<TokenSequence> rows, long size) implements SequenceSource {
    @Override
    public TokenSequence read(long index) {
      return rows.get((int) (index % rows.size()));
    }

    @Override
    public void close() {}
  }
}
