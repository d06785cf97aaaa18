package dev.anneal.spark.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.manifest.DatasetManifest.Part;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.spark.train.PreparedData;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.SortedMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What may be another when a run goes on from a checkpoint, and what may not. */
class RunIdentityTest {
  private static final String MODEL = "a-model";
  private static final PreparedData DATA = new PreparedData(dataset("a-tokenizer"), null);

  /** The recipe that the checkpoint is of, and in which each setting below stands alone. */
  private static final Path RECIPE = Path.of(System.getProperty("anneal.home"), "conf/tiny.yaml");

  @TempDir Path output;
  private WrittenCheckpoints run;

  @BeforeEach
  void write() throws Exception {
    run = new WrittenCheckpoints(output);
    try (CheckpointCommitter committer =
        new CheckpointCommitter(run.folder, identity(), 1, List.of(), run)) {
      committer.begin("a-1");
      run.take(committer, "a-1", 10);
    }
  }

  /** What is set, and what a refusal says of it. */
  static List<Arguments> others() {
    return List.of(
        Arguments.of("data.shuffle=false", "data.shuffle is true there and false here"),
        Arguments.of("base_weights.dtype=bf16", "base_weights.dtype is fp32 there and bf16 here"),
        Arguments.of(
            "base_weights.exact_edges=1", "base_weights.exact_edges is not set there and 1 here"),
        Arguments.of("compute.dtype=bf16", "compute.dtype is fp32 there and bf16 here"),
        Arguments.of("compute.matmul=bf16", "compute.matmul is fp32 there and bf16 here"),
        Arguments.of("training.mode=full", "training.mode is lora there and full here"),
        Arguments.of("training.loss=row", "training.loss is not set there and row here"),
        Arguments.of(
            "training.label_smoothing=0.1",
            "training.label_smoothing is not set there and 0.1 here"),
        Arguments.of(
            "training.neftune_noise_alpha=5",
            "training.neftune_noise_alpha is not set there and 5.0 here"),
        Arguments.of(
            "training.max_grad_norm=0.5", "training.max_grad_norm is 1.0 there and 0.5 here"),
        Arguments.of("training.on_nan=skip", "training.on_nan is stop there and skip here"),
        Arguments.of("training.seed=7", "training.seed is 42 there and 7 here"),
        Arguments.of(
            "optimizer.learning_rate=0.002",
            "optimizer.learning_rate is 0.003 there and 0.002 here"),
        Arguments.of(
            "optimizer.weight_decay=0.1", "optimizer.weight_decay is 0.0 there and 0.1 here"),
        Arguments.of(
            "optimizer.betas=[0.9, 0.95]",
            "optimizer.betas is [0.9,0.999] there and [0.9,0.95] here"),
        Arguments.of("optimizer.eps=1e-6", "optimizer.eps is 1.0E-8 there and 1.0E-6 here"),
        Arguments.of("schedule.type=cosine", "schedule.type is linear there and cosine here"),
        Arguments.of("schedule.warmup_steps=3", "schedule.warmup_steps is null there and 3 here"),
        Arguments.of(
            "schedule.warmup_ratio=0.1", "schedule.warmup_ratio is 0.05 there and 0.1 here"),
        Arguments.of("lora.r=8", "lora.r is 16 there and 8 here"),
        Arguments.of("lora.alpha=16", "lora.alpha is 32.0 there and 16.0 here"),
        Arguments.of("lora.dropout=0.1", "lora.dropout is 0.0 there and 0.1 here"),
        Arguments.of("lora.use_rslora=true", "lora.use_rslora is false there and true here"),
        Arguments.of("lora.use_dora=true", "lora.use_dora is not set there and true here"),
        Arguments.of("lora.init=pissa", "lora.init is not set there and pissa here"),
        Arguments.of("lora.init_from=/an/adapter", "lora.init_from is null there and file:/an/"),
        Arguments.of("lora.target_modules=[q_proj]", "lora.target_modules is ["),
        Arguments.of(
            "lora.rank_pattern={q_proj: 4}",
            "lora.rank_pattern is not set there and {\"q_proj\":4} here"),
        Arguments.of(
            "lora.alpha_pattern={q_proj: 4}",
            "lora.alpha_pattern is not set there and {\"q_proj\":4.0} here"),
        Arguments.of("training.max_steps=81", "the number of steps is 80 there and 81 here"),
        Arguments.of("training.epochs=2", "the number of steps is 80 there and 25 here"),
        Arguments.of("training.micro_batch_size=5", "the global batch is 8 there and 10 here"),
        Arguments.of("training.gradient_accumulation=2", "the global batch is 8 there and 16 here"),
        Arguments.of("cluster.nodes=3", "the global batch is 8 there and 12 here"));
  }

  @ParameterizedTest
  @MethodSource("others")
  void anotherValueOfASettingIsRefused(String set, String difference) {
    assertRefused(identity(set), difference);
  }

  @Test
  void everythingThatIsComparedHasARowAbove() {
    List<String> differences = others().stream().map(row -> (String) row.get()[1]).toList();
    Collection<String> compared = identity().keySet();
    assertThat(compared).contains("the model", "the data set");
    assertThat(compared)
        .filteredOn(key -> !key.equals("the model") && !key.equals("the data set"))
        .allSatisfy(key -> assertThat(differences).anyMatch(said -> said.startsWith(key + " is ")));
  }

  @Test
  void anotherModelIsRefused() {
    assertRefused(RunIdentity.of(config(), "another", DATA), "the model is another");
  }

  @Test
  void anotherDataSetIsRefused() {
    PreparedData another = new PreparedData(dataset("another"), null);
    assertRefused(RunIdentity.of(config(), MODEL, another), "the data set is another");
  }

  @Test
  void anotherDataSetToEvaluateOnIsRefused() {
    PreparedData one = new PreparedData(dataset("a-tokenizer"), dataset("one"));
    PreparedData other = new PreparedData(dataset("a-tokenizer"), dataset("other"));
    assertRefused(
        RunIdentity.of(config(), MODEL, one), "the data set to evaluate on is not set there and ");
    assertThat(
            RunIdentity.difference(
                RunIdentity.of(config(), MODEL, one), RunIdentity.of(config(), MODEL, other)))
        .hasValue("the data set to evaluate on is another");
  }

  @Test
  void groupsOfTheOptimizerCountWhereThereAreSome() {
    assertRefused(
        identity("lora.loraplus_lr_ratio=16"),
        "lora.loraplus_lr_ratio is not set there and 16.0 here");
    assertThat(
            RunIdentity.difference(
                identity("training.mode=full", "optimizer.weight_decay=0.1"),
                identity(
                    "training.mode=full",
                    "optimizer.weight_decay=0.1",
                    "optimizer.decay_norms=false")))
        .hasValue("optimizer.decay_norms is not set there and false here");
    assertThat(identity("optimizer.decay_norms=false")).isEqualTo(identity());
  }

  @Test
  void optionsOfAScheduleCountWhereItLooksAtThem() {
    assertThat(
            RunIdentity.difference(
                identity("schedule.type=warmup_stable_decay", "schedule.decay_type=linear"),
                identity("schedule.type=warmup_stable_decay", "schedule.decay_steps=7")))
        .hasValue(
            "schedule.decay_steps is null there and 7 here, schedule.decay_type is linear there and cosine here");
    assertThat(
            RunIdentity.difference(
                identity("schedule.type=cosine_with_restarts"),
                identity("schedule.type=cosine_with_restarts", "schedule.cycles=2")))
        .hasValue("schedule.cycles is 1 there and 2 here");
    assertThat(
            RunIdentity.difference(
                identity("schedule.type=cosine_with_min_lr"),
                identity("schedule.type=cosine_with_min_lr", "schedule.min_lr_ratio=0.1")))
        .hasValue("schedule.min_lr_ratio is 0.0 there and 0.1 here");
  }

  @Test
  void evaluationsCountWhereTheyDecideWhatComesOfTheRun() {
    assertRefused(
        identity("evaluation.keep=best", "evaluation.every_steps=5"),
        "evaluation.every_steps is not set there and 5 here, evaluation.keep is not set there and best here");
    assertRefused(
        identity("evaluation.patience=3", "evaluation.every_steps=5"),
        "evaluation.every_steps is not set there and 5 here, evaluation.min_delta is not set there and 0.0 here, evaluation.patience is not set there and 3 here");
    assertThat(
            RunIdentity.difference(
                identity("evaluation.patience=3", "evaluation.every_steps=5"),
                identity("evaluation.patience=3", "evaluation.every_steps=10")))
        .hasValue("evaluation.every_steps is 5 there and 10 here");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster.nodes=1 training.gradient_accumulation=2",
        "cluster.nodes=4 training.micro_batch_size=2",
        "training.micro_batch_size=2 training.gradient_accumulation=2",
        "cluster.gpus_per_node=1",
        "cluster.timeout=7",
        "cluster.attempts=9",
        "activations.checkpoint=none",
        "activations.offload=true",
        "activations.host_layers=1",
        "base_weights.shard=world",
        "base_weights.offload_ratio=0.5",
        "checkpoint.every_steps=5",
        "checkpoint.keep=3",
        "evaluation.sample_rows=0",
        "evaluation.every_steps=5",
        "evaluation.min_delta=0.5",
        "model.path=/the/same/elsewhere",
        "data.source=/the/same/elsewhere"
      })
  void whereAndHowItIsComputedDoesNotCount(String sets) throws Exception {
    assertThat(CheckpointSearch.in(run.folder, identity(sets.split(" "))).usable()).hasSize(1);
  }

  @Test
  void aMicroBatchCountsWhereDropoutIsDrawnForIt() {
    SortedMap<String, String> four = identity("lora.dropout=0.1");
    SortedMap<String, String> two =
        identity(
            "lora.dropout=0.1", "training.micro_batch_size=2", "training.gradient_accumulation=2");
    assertThat(RunIdentity.difference(four, two))
        .contains("training.micro_batch_size is 4 there and 2 here");
  }

  private void assertRefused(SortedMap<String, String> identity, String difference) {
    assertThatThrownBy(() -> CheckpointSearch.in(run.folder, identity))
        .isInstanceOf(BadRequestException.class)
        .hasMessageStartingWith(
            "output.path " + run.folder.display() + " holds checkpoints of another run (")
        .hasMessageContaining(difference);
  }

  private static SortedMap<String, String> identity(String... sets) {
    return RunIdentity.of(config(sets), MODEL, DATA);
  }

  private static AnnealConfig config(String... sets) {
    return ConfigLoader.load(RECIPE, Arrays.asList(sets), Path.of("/"));
  }

  /** A data set of 100 sequences. */
  private static DatasetManifest dataset(String tokenizer) {
    Part train = new Part(100, 100, 1000, 500, 9, 1, List.of());
    Part eval = new Part(0, 0, 0, 0, -1, 0, List.of());
    return new DatasetManifest(
        DatasetManifest.SCHEMA_VERSION,
        tokenizer,
        null,
        null,
        null,
        null,
        train,
        eval,
        null,
        null,
        null);
  }
}
