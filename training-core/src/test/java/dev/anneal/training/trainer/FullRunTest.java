package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Deviation;
import dev.anneal.training.Rows;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.checkpoint.TrainerState;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.kernel.PlainKernels;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.TrainableModel;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelCheck;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.optim.AdamW;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.timing.StepTimings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A tiny model all of whose weights train, from random ones. */
class FullRunTest {
  private static final List<TokenSequence> ROWS = Rows.random(37, 11, 12, 9, 14, 10);

  @TempDir Path output;

  @BeforeAll
  static void load() {
    NativeLibraries.load();
  }

  @ParameterizedTest
  @EnumSource(Embeddings.class)
  void learnsAHandfulOfRowsByHeart(Embeddings embeddings) throws IOException {
    LlamaConfig config = TinyModels.config(embeddings);
    RecordingListener listener = new RecordingListener();
    TrainingRun.Inputs inputs = inputs(new ModelSource.Random(config, 5));
    TrainingRun.run(Recipe.full(200, 0.003).sampleTokens(6).spec(), inputs, alone(), listener);
    double before = listener.evaluations().get(0);
    double after = listener.evaluations().get(1);
    System.out.printf("full training, %s: loss %.3f to %.3f%n", embeddings, before, after);
    assertThat(before).isBetween(0.9 * Math.log(37), 1.1 * Math.log(37));
    assertThat(after).isLessThan(0.1);
    // greedy continuation of a row that was learned by heart
    int[] row = ROWS.get(0).inputIds();
    assertThat(listener.samples().get(1)).containsExactly(Arrays.copyOfRange(row, 6, 12));

    // what was written is a model like any other
    ModelCheck.check(new LocalModelFolder(output));
    RecordingListener again = new RecordingListener();
    TrainingRun.run(
        Recipe.full(0, 0.01).spec(),
        inputs(new ModelSource.Folder(new LocalModelFolder(output))),
        alone(),
        again);
    assertThat(again.evaluations().get(0)).isEqualTo(after);
    assertThat(LlamaConfig.read(new LocalModelFolder(output))).isEqualTo(config);
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"FP32", "BF16"})
  void writtenModelGivesTheLogitsOfTheTrainedOne(DType dtype) throws IOException {
    TrainingSpec spec = Recipe.full(5, 0.01).baseDtype(dtype).spec();
    try (TensorScope scope = new TensorScope()) {
      TrainingRun.Inputs inputs =
          inputs(new ModelSource.Random(TinyModels.config(Embeddings.UNTIED), 5));
      TrainableModel model =
          ModelLoader.load(spec, inputs, inputs.model().config(), alone(), new RecordingListener());
      train(spec, inputs, model);
      ResultWriter.write(spec, inputs, model, alone());
      if (dtype == DType.BF16) {
        model.parameters().master().copy_(model.parameters().master().to(ScalarType.BFloat16));
      }
      TrainingRun.Inputs written = inputs(new ModelSource.Folder(new LocalModelFolder(output)));
      TrainableModel loaded =
          ModelLoader.load(
              spec, written, written.model().config(), alone(), new RecordingListener());
      assertThat(Deviation.absolute(logits(loaded), logits(model))).isZero();
    }
  }

  @Test
  void writesBf16WhereAskedTo() throws IOException {
    TrainingSpec spec = Recipe.full(1, 0.01).baseDtype(DType.BF16).spec();
    TrainingRun.Inputs inputs =
        inputs(new ModelSource.Random(TinyModels.config(Embeddings.TIED), 5));
    TrainingRun.run(spec, inputs, alone(), new RecordingListener());
    LocalModelFolder folder = new LocalModelFolder(output);
    ModelCheck.check(folder);
    try (SafetensorsIndex index = SafetensorsIndex.open(folder, SafetensorsIndex.MODEL_FILE)) {
      for (String name : index.names()) {
        assertThat(index.entry(name).dtype()).as(name).isEqualTo(SafetensorsDType.BF16);
      }
      assertThat(index.names()).doesNotContain("lm_head.weight");
    }
    assertThat(output.resolve("config.json")).content().contains("\"bfloat16\"");
  }

  @Test
  void aHeadOfItsOwnIsTrainedAndPublishedWhateverTheConfigurationSays() throws IOException {
    LlamaConfig untied = TinyModels.config(Embeddings.UNTIED);
    TrainingRun.run(
        Recipe.full(0, 0.01).spec(),
        inputs(new ModelSource.Random(untied, 5)),
        alone(),
        new RecordingListener());
    Path config = output.resolve("config.json");
    String written = Files.readString(config);
    Files.writeString(
        config, written.replace("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true"));
    assertThat(LlamaConfig.read(new LocalModelFolder(output)).tieWordEmbeddings()).isTrue();

    TrainingRun.run(
        Recipe.full(1, 0.01).spec(),
        inputs(new ModelSource.Folder(new LocalModelFolder(output))),
        alone(),
        new RecordingListener());
    assertThat(config).content().isEqualTo(written);
    try (SafetensorsIndex index =
        SafetensorsIndex.open(new LocalModelFolder(output), SafetensorsIndex.MODEL_FILE)) {
      assertThat(index.has("lm_head.weight")).isTrue();
    }
  }

  private static void train(TrainingSpec spec, TrainingRun.Inputs inputs, TrainableModel model) {
    Parameters parameters = model.parameters();
    AdamW optimizer = new AdamW(spec.updates().optimizer(), parameters, new PlainKernels());
    GlobalBatches batches = new GlobalBatches(spec, inputs.train(), alone());
    TrainerState begin = TrainerState.fresh(parameters, 1, batches.size(), spec.seed());
    RecordingListener listener = new RecordingListener();
    try (StepTimings timings = new StepTimings(Device.CPU);
        RunCheckpoints none =
            new RunCheckpoints(spec, inputs, model, optimizer, alone(), begin, listener)) {
      Evaluations notMade = new Evaluations(spec, null, () -> false, begin.evaluation());
      new Trainer(
              spec, batches, llama(model), parameters, optimizer, none, notMade, alone(), timings)
          .train(begin, listener);
    }
  }

  private TrainingRun.Inputs inputs(ModelSource model) {
    int[] prompt = Arrays.copyOf(ROWS.get(0).inputIds(), 6);
    return new TrainingRun.Inputs(
        model,
        null,
        ReferenceRun.source(ROWS),
        ReferenceRun.source(ROWS),
        List.of(prompt),
        "tiny",
        new LocalOutputFolder(output),
        CheckpointPlan.NONE);
  }

  private static Tensor logits(TrainableModel model) {
    TokenBatch batch = TokenBatch.of(ROWS);
    return llama(model).logits(batch, Tensors.of(LongStream.range(0, batch.tokens()).toArray()));
  }

  private static Llama llama(TrainableModel model) {
    return Llama.reference(model, Device.CPU, DType.FP32, KeptActivations.INPUTS);
  }

  private static Ranks alone() {
    return Ranks.onCpu(new SingleRank());
  }
}
