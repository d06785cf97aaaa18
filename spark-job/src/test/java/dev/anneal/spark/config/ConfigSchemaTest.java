package dev.anneal.spark.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.RecordComponent;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class ConfigSchemaTest {

  @Test
  void pinsEveryKeyAndItsDefault() {
    String keys =
        ConfigSchema.keys().stream()
            .map(key -> key.name() + ": " + key.defaultValue())
            .collect(Collectors.joining("\n"));
    assertThat(keys)
        .isEqualTo(
            """
            model.path: null
            model.tokenizer: null
            data.source: null
            data.format: alpaca
            data.columns: {}
            data.template: null
            data.max_length: 1024
            data.too_long: truncate
            data.split_long: false
            data.packing: true
            data.shuffle: true
            data.train_on_prompt: false
            data.limit: null
            data.eval_rows: 0
            data.eval_source: null
            data.eval_format: null
            data.eval_columns: null
            data.eval_limit: null
            data.max_bad_rows: 0.01
            lora.r: 64
            lora.alpha: 64.0
            lora.dropout: 0.0
            lora.use_rslora: false
            lora.use_dora: false
            lora.target_modules: [q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj]
            lora.rank_pattern: {}
            lora.alpha_pattern: {}
            lora.loraplus_lr_ratio: 1.0
            lora.init: default
            lora.init_from: null
            base_weights.dtype: fp8
            base_weights.shard: node
            base_weights.offload_ratio: 0.0
            base_weights.both_layouts: false
            base_weights.exact_edges: 0
            compute.dtype: bf16
            compute.matmul: fp8
            compute.attention: cudnn
            compute.head: exact
            activations.checkpoint: layer
            activations.offload: false
            activations.host_layers: 0
            training.mode: lora
            training.micro_batch_size: 4
            training.gradient_accumulation: 1
            training.max_steps: 1000
            training.epochs: null
            training.loss: token
            training.label_smoothing: 0.0
            training.neftune_noise_alpha: 0.0
            training.max_grad_norm: 1.0
            training.on_nan: stop
            training.seed: 42
            optimizer.learning_rate: 2.0E-5
            optimizer.weight_decay: 0.0
            optimizer.decay_norms: true
            optimizer.betas: [0.9, 0.999]
            optimizer.eps: 1.0E-8
            schedule.type: linear
            schedule.warmup_steps: null
            schedule.warmup_ratio: 0.02
            schedule.min_lr_ratio: 0.0
            schedule.cycles: 1
            schedule.decay_steps: null
            schedule.decay_ratio: 0.1
            schedule.decay_type: cosine
            checkpoint.every_steps: 200
            checkpoint.keep: 2
            checkpoint.resume: auto
            evaluation.every_steps: 0
            evaluation.keep: last
            evaluation.patience: 0
            evaluation.min_delta: 0.0
            evaluation.sample_rows: 0
            evaluation.sample_tokens: 48
            cluster.nodes: 1
            cluster.gpus_per_node: 8
            cluster.timeout: 600
            cluster.attempts: 3
            output.path: null
            output.merged: auto
            tracking.mlflow_uri: null
            tracking.mlflow_experiment: null
            tracking.mlflow_run_name: null
            tracking.mlflow_registered_model: null
            tracking.mlflow_artifacts: true
            tracking.tensorboard: false
            profile.steps: 0
            webhooks.on_success: null
            webhooks.on_failure: null
            webhooks.format: auto""");
  }

  @Test
  void hasAKeyForEveryFieldOfTheConfiguration() {
    List<String> fields = new ArrayList<>();
    for (RecordComponent section : AnnealConfig.class.getRecordComponents()) {
      addFields(snakeCase(section.getName()) + ".", section.getType(), fields);
    }
    assertThat(ConfigSchema.keys())
        .extracting(ConfigKey::name)
        .containsExactlyInAnyOrderElementsOf(fields);
  }

  private static void addFields(String prefix, Class<?> type, List<String> fields) {
    for (RecordComponent field : type.getRecordComponents()) {
      if (field.getType().isRecord()) {
        addFields(prefix, field.getType(), fields);
      } else {
        fields.add(prefix + snakeCase(field.getName()));
      }
    }
  }

  @Test
  void holdsColumnsThatAreNamedLikeKeys() {
    AnnealConfig config =
        ConfigLoader.load(
            null, List.of("data.columns={packing: a, limit: b}", "data.limit=7"), Path.of("/"));
    assertThat(config.resolved().at("/data/packing").booleanValue()).isTrue();
    assertThat(config.resolved().at("/data/limit").intValue()).isEqualTo(7);
    assertThat(config.resolved().at("/data/columns/packing").textValue()).isEqualTo("a");
  }

  @Test
  void showsWhatWasResolvedWithTheNamesOfTheKeys() {
    AnnealConfig config =
        ConfigLoader.load(null, List.of("output.path=/o", "schedule.type=cosine"), Path.of("/"));
    assertThat(config.resolved().at("/base_weights/offload_ratio").doubleValue()).isZero();
    assertThat(config.resolved().at("/schedule/type").textValue()).isEqualTo("cosine");
    assertThat(config.resolved().at("/output/path").textValue()).isEqualTo("file:/o");
  }

  private static String snakeCase(String name) {
    return name.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
  }
}
