package dev.anneal.spark.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.data.format.RowFormat;
import dev.anneal.data.prep.LongRows;
import dev.anneal.data.prep.PrepSpec;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.lora.ModuleNames;
import dev.anneal.training.lora.TargetModules;
import dev.anneal.training.model.Objective;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.optim.AdamWSpec;
import dev.anneal.training.optim.LearningRateSchedule;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.trainer.TrainingSpec;
import dev.anneal.training.weights.FrozenLayers.Shard;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import org.junit.jupiter.api.Test;

class SpecsTest {

  @Test
  void tellsTheCoreWhatTheLargestRecipeAsksFor() {
    TrainingSpec spec = spec();
    assertThat(spec.weights().dtype()).isEqualTo(DType.FP8);
    assertThat(spec.weights().shard()).isEqualTo(Shard.NODE);
    assertThat(spec.weights().offloadRatio()).isZero();
    assertThat(spec.compute().dtype()).isEqualTo(DType.BF16);
    assertThat(spec.compute().matmul()).isEqualTo(Matmul.FP8);
    assertThat(spec.compute().activations()).isEqualTo(KeptActivations.INPUTS);
  }

  @Test
  void splitsOverANodeOnlyWhereItHasSeveralRanks() {
    assertThat(spec("cluster.gpus_per_node=2").weights().shard()).isEqualTo(Shard.NODE);
    assertThat(spec("cluster.gpus_per_node=1", "cluster.nodes=2").weights().shard())
        .isEqualTo(Shard.NONE);
    assertThat(spec("cluster.gpus_per_node=0").weights().shard()).isEqualTo(Shard.NONE);
    assertThat(spec("base_weights.shard=world").weights().shard()).isEqualTo(Shard.WORLD);
    assertThat(spec("base_weights.shard=none").weights().shard()).isEqualTo(Shard.NONE);
  }

  @Test
  void schedulesGetTheirStretchesInSteps() {
    LearningRateSchedule schedule =
        spec(
                "schedule.type=warmup_stable_decay",
                "training.max_steps=55",
                "schedule.decay_type=1-sqrt",
                "schedule.min_lr_ratio=0.1")
            .updates()
            .schedule();
    assertThat(schedule)
        .isEqualTo(
            new LearningRateSchedule(
                LearningRateSchedule.Type.WARMUP_STABLE_DECAY,
                2,
                55,
                new LearningRateSchedule.Options(
                    0.1, 1, 6, LearningRateSchedule.Decay.ONE_MINUS_SQRT)));
    assertThat(
            spec("schedule.type=warmup_stable_decay", "schedule.decay_steps=7")
                .updates()
                .schedule()
                .options()
                .decaySteps())
        .isEqualTo(7);
  }

  @Test
  void learnsWhatIsAskedFor() {
    assertThat(spec().updates().objective()).isEqualTo(Objective.CROSS_ENTROPY);
    assertThat(
            spec(
                    "training.loss=row",
                    "training.label_smoothing=0.1",
                    "training.neftune_noise_alpha=5")
                .updates()
                .objective())
        .isEqualTo(new Objective(Objective.Per.ROW, 0.1, 5));
  }

  @Test
  void groupsParametersAsAskedFor() {
    AdamWSpec plain = spec().updates().optimizer();
    assertThat(plain).isEqualTo(new AdamWSpec(2e-5, 0, 0.9, 0.999, 1e-8));
    AdamWSpec grouped =
        spec("lora.loraplus_lr_ratio=16", "optimizer.decay_norms=false").updates().optimizer();
    assertThat(grouped.loraPlusRatio()).isEqualTo(16);
    assertThat(grouped.decay()).isEqualTo(AdamWSpec.Decay.MATRICES);
  }

  @Test
  void evaluatesAsAskedFor() {
    assertThat(
            spec(
                    "evaluation.every_steps=5",
                    "evaluation.keep=best",
                    "evaluation.patience=3",
                    "evaluation.min_delta=0.01",
                    "evaluation.sample_tokens=7")
                .evaluation())
        .isEqualTo(new TrainingSpec.Evaluation(7, 5, TrainingSpec.Keep.BEST, 3, 0.01));
    assertThat(spec().evaluation()).isEqualTo(TrainingSpec.Evaluation.atBothEnds(48));
  }

  @Test
  void rowsToEvaluateOnArePreparedLikeTheOthersButInOrder() {
    AnnealConfig config =
        config(
            "data.source=/rows",
            "data.format=chat",
            "data.columns={messages: turns}",
            "data.max_length=77",
            "data.too_long=drop",
            "output.path=/out");
    assertThat(Specs.evalPrep(config, "/tokenizer", 9)).isNull();
    config =
        config(
            "data.source=/rows",
            "data.format=chat",
            "data.columns={messages: turns}",
            "data.max_length=77",
            "data.too_long=drop",
            "data.eval_source=/others",
            "output.path=/out");
    PrepSpec eval = Specs.evalPrep(config, "/tokenizer", 9);
    assertThat(eval.rows().source()).isEqualTo("file:/others");
    assertThat(eval.rows().format()).isEqualTo(RowFormat.CHAT);
    assertThat(eval.rows().columns()).isEqualTo(Map.of("messages", "turns"));
    assertThat(eval.rows().limit()).isNull();
    assertThat(eval.sequences())
        .isEqualTo(new PrepSpec.Sequences(77, LongRows.DROP, false, false, false));
    assertThat(eval.datasetUri()).isEqualTo("file:/out/eval-dataset");
    config =
        config(
            "data.eval_source=/others",
            "data.eval_format=alpaca",
            "data.eval_columns={}",
            "data.eval_limit=5",
            "output.path=/out");
    eval = Specs.evalPrep(config, "/tokenizer", 9);
    assertThat(eval.rows().format()).isEqualTo(RowFormat.ALPACA);
    assertThat(eval.rows().columns()).isEmpty();
    assertThat(eval.rows().limit()).isEqualTo(5);
  }

  @Test
  void movesToTheHostWhatIsAskedFor() {
    assertThat(spec("base_weights.offload_ratio=0.25").weights().offloadRatio()).isEqualTo(0.25);
    assertThat(spec("activations.offload=true").compute().activations())
        .isEqualTo(KeptActivations.INPUTS_ON_HOST);
    assertThat(spec("activations.checkpoint=none").compute().activations())
        .isEqualTo(KeptActivations.ALL);
  }

  @Test
  void someLayersMayBeComputedAgainAndTheOthersKept() {
    assertThat(spec("activations.checkpoint=24").compute().activations())
        .isEqualTo(KeptActivations.INPUTS.first(24));
    assertThat(
            spec("activations.checkpoint=24", "activations.offload=true").compute().activations())
        .isEqualTo(KeptActivations.INPUTS_ON_HOST.first(24));
  }

  @Test
  void someLayersMayKeepEverythingOnTheHost() {
    assertThat(
            spec("activations.host_layers=40", "activations.checkpoint=14").compute().activations())
        .isEqualTo(KeptActivations.INPUTS.first(14).onHost(40));
    assertThat(
            spec("activations.host_layers=40", "activations.checkpoint=none")
                .compute()
                .activations())
        .isEqualTo(KeptActivations.ALL.onHost(40));
  }

  @Test
  void whatIsLeftToMemoryStandsAtItsLeast() {
    TrainingSpec spec = spec("base_weights.offload_ratio=auto", "activations.checkpoint=auto");
    assertThat(spec.weights().offloadRatio()).isZero();
    assertThat(spec.compute().activations()).isEqualTo(KeptActivations.INPUTS);
  }

  @Test
  void multipliesInTheComputeDtypeWithoutFp8() {
    TrainingSpec spec = spec("compute.matmul=bf16", "base_weights.dtype=bf16");
    assertThat(spec.compute().matmul()).isEqualTo(Matmul.COMPUTE);
    assertThat(spec.weights().dtype()).isEqualTo(DType.BF16);
    assertThat(spec.weights().exactEdges()).isZero();
    assertThat(spec("base_weights.exact_edges=2").weights().exactEdges()).isEqualTo(2);
  }

  @Test
  void handsOnPeftsFormsOfTargetsRanksAndAlphas() {
    LoraSpec lora =
        spec(
                "lora.target_modules='.*\\.(q|v)_proj'",
                "lora.rank_pattern={v_proj: 16, 'layers\\.0\\..*': 4}",
                "lora.alpha_pattern={q_proj: 1.5}")
            .lora();

    assertThat(lora.targetModules())
        .isEqualTo(TargetModules.of(new ModuleNames.Matching(".*\\.(q|v)_proj")));
    // the first that fits counts
    assertThat(lora.rankPattern().entrySet())
        .containsExactly(Map.entry("v_proj", 16), Map.entry("layers\\.0\\..*", 4));
    assertThat(lora.alphaPattern()).containsExactly(Map.entry("q_proj", 1.5));
    assertThat(spec("lora.target_modules=all-linear").lora())
        .isEqualTo(spec("lora.target_modules=[all-linear]").lora())
        .isEqualTo(spec().lora());
  }

  @Test
  void patternsBelongToWhatARunComputesWhereThereAreAny() {
    assertThat(identity()).doesNotContainKeys("lora.rank_pattern", "lora.alpha_pattern");
    assertThat(identity("lora.rank_pattern={v_proj: 16, k_proj: 4}", "lora.alpha_pattern={a: 2}"))
        .containsEntry("lora.rank_pattern", "{\"v_proj\":16,\"k_proj\":4}")
        .containsEntry("lora.alpha_pattern", "{\"a\":2.0}");
    assertThat(identity("lora.rank_pattern={v_proj: 16}", "training.mode=full"))
        .doesNotContainKey("lora.rank_pattern");
    String all = "[Q_PROJ, K_PROJ, V_PROJ, O_PROJ, GATE_PROJ, UP_PROJ, DOWN_PROJ]";
    assertThat(identity()).containsEntry("lora.target_modules", all);
    assertThat(identity("lora.target_modules=all-linear"))
        .containsEntry("lora.target_modules", all);
    assertThat(identity("lora.target_modules=[v_proj, 1.mlp.up_proj, q_proj]"))
        .containsEntry("lora.target_modules", "[Q_PROJ, V_PROJ, 1.mlp.up_proj]");
    assertThat(identity("lora.target_modules='.*_proj'"))
        .containsEntry("lora.target_modules", ".*_proj");
  }

  private static SortedMap<String, String> identity(String... sets) {
    return ConfigLoader.load(null, List.of(sets), Path.of("/")).identity();
  }

  private static TrainingSpec spec(String... sets) {
    return Specs.training(config(sets), 1000);
  }

  private static AnnealConfig config(String... sets) {
    return ConfigLoader.load(null, List.of(sets), Path.of("/"));
  }
}
