package dev.anneal.spark.config;

import static dev.anneal.spark.config.Rule.bool;
import static dev.anneal.spark.config.Rule.list;
import static dev.anneal.spark.config.Rule.mapping;
import static dev.anneal.spark.config.Rule.number;
import static dev.anneal.spark.config.Rule.oneOf;
import static dev.anneal.spark.config.Rule.text;
import static dev.anneal.spark.config.Rule.wholeNumber;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Every key of the configuration: what it accepts, and what it is when nobody says otherwise. */
final class ConfigSchema {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final long MAX_INT = Integer.MAX_VALUE;
  private static final long MAX_LONG = Long.MAX_VALUE;
  private static final Rule POSITIVE = number("a number greater than 0", x -> x > 0);
  private static final Rule NOT_NEGATIVE = number("a number of at least 0", x -> x >= 0);
  private static final Rule SHARE = number("a number from 0 to 1", x -> x >= 0 && x <= 1);
  private static final Rule BELOW_ONE =
      number("a number from 0 to less than 1", x -> x >= 0 && x < 1);

  /**
   * @param name with its section: {@code lora.r}
   * @param defaultValue {@code null} for none
   */
  record Key(String name, Rule rule, Object defaultValue) {
    String section() {
      return name.substring(0, name.indexOf('.'));
    }

    String field() {
      return name.substring(name.indexOf('.') + 1);
    }
  }

  // The defaults are the recipe of Llama 3.1 405B on one node of eight GPUs.
  private static final List<Key> KEYS =
      List.of(
          new Key("model.path", text().orNone(), null),
          new Key("model.tokenizer", text().orNone(), null),
          new Key("data.source", text().orNone(), null),
          new Key(
              "data.format",
              oneOf(
                  "alpaca",
                  "chat",
                  "prompt-completion",
                  "self-instruct",
                  "chip2",
                  "hh-rlhf",
                  "guanaco",
                  "text",
                  "tokenized"),
              "alpaca"),
          new Key("data.columns", mapping("FIELD: COLUMN pairs", text()), Map.of()),
          new Key("data.template", text().orNone(), null),
          new Key("data.max_length", wholeNumber(2, MAX_INT), 1024),
          new Key("data.too_long", oneOf("truncate", "drop"), "truncate"),
          new Key("data.split_long", bool(), false),
          new Key("data.packing", bool(), true),
          new Key("data.shuffle", bool(), true),
          new Key("data.train_on_prompt", bool(), false),
          new Key("data.limit", wholeNumber(1, MAX_LONG).orNone(), null),
          new Key("data.eval_rows", wholeNumber(0, MAX_INT), 0),
          new Key("data.max_bad_rows", SHARE, 0.01),
          new Key("lora.r", wholeNumber(1, MAX_INT), 64),
          new Key("lora.alpha", POSITIVE, 64.0),
          new Key("lora.dropout", BELOW_ONE, 0.0),
          new Key("lora.use_rslora", bool(), false),
          new Key(
              "lora.target_modules",
              list("a list of module names", 1, Integer.MAX_VALUE, text()),
              List.of("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")),
          new Key("lora.init_from", text().orNone(), null),
          new Key("base_weights.dtype", oneOf("fp8", "bf16", "fp32"), "fp8"),
          new Key("base_weights.shard", oneOf("none", "node", "world"), "node"),
          new Key("base_weights.offload_ratio", SHARE, 0.0),
          new Key("compute.dtype", oneOf("bf16", "fp32"), "bf16"),
          new Key("compute.matmul", oneOf("fp8", "bf16", "fp32"), "fp8"),
          new Key("activations.checkpoint", oneOf("layer", "none"), "layer"),
          new Key("activations.offload", bool(), false),
          new Key("training.mode", oneOf("lora", "full"), "lora"),
          new Key("training.micro_batch_size", wholeNumber(1, MAX_INT), 4),
          new Key("training.gradient_accumulation", wholeNumber(1, MAX_INT), 1),
          new Key("training.max_steps", wholeNumber(1, MAX_LONG), 1000),
          new Key("training.epochs", POSITIVE.orNone(), null),
          new Key("training.max_grad_norm", NOT_NEGATIVE, 1.0),
          new Key("training.on_nan", oneOf("stop", "skip"), "stop"),
          new Key("training.seed", wholeNumber(0, MAX_LONG), 42),
          new Key("optimizer.learning_rate", POSITIVE, 2e-5),
          new Key("optimizer.weight_decay", NOT_NEGATIVE, 0.0),
          new Key(
              "optimizer.betas",
              list("two numbers from 0 to less than 1", 2, 2, BELOW_ONE),
              List.of(0.9, 0.999)),
          new Key("optimizer.eps", POSITIVE, 1e-8),
          new Key("schedule.type", oneOf("linear", "cosine", "constant"), "linear"),
          new Key("schedule.warmup_steps", wholeNumber(0, MAX_LONG).orNone(), null),
          new Key("schedule.warmup_ratio", SHARE, 0.02),
          new Key("checkpoint.every_steps", wholeNumber(0, MAX_LONG), 200),
          new Key("checkpoint.keep", wholeNumber(1, MAX_INT), 2),
          new Key("checkpoint.resume", oneOf("auto", "never"), "auto"),
          new Key("evaluation.sample_rows", wholeNumber(0, MAX_INT), 0),
          new Key("evaluation.sample_tokens", wholeNumber(1, MAX_INT), 48),
          new Key("cluster.nodes", wholeNumber(1, MAX_INT), 1),
          new Key("cluster.gpus_per_node", wholeNumber(0, MAX_INT), 8),
          new Key("cluster.timeout", wholeNumber(1, MAX_INT), 600),
          new Key("cluster.attempts", wholeNumber(1, MAX_INT), 3),
          new Key("output.path", text().orNone(), null));

  private static final Map<String, Key> BY_NAME =
      KEYS.stream().collect(Collectors.toUnmodifiableMap(Key::name, Function.identity()));

  private ConfigSchema() {}

  static List<Key> keys() {
    return KEYS;
  }

  /** The key of that name, or {@code null}. */
  static Key key(String name) {
    return BY_NAME.get(name);
  }

  static boolean isSection(String name) {
    return KEYS.stream().anyMatch(key -> key.section().equals(name));
  }

  static String fieldsOf(String section) {
    return KEYS.stream()
        .filter(key -> key.section().equals(section))
        .map(Key::field)
        .collect(Collectors.joining(", "));
  }

  /** Every section and key name, for suggestions. */
  static Stream<String> names() {
    return Stream.concat(KEYS.stream().map(Key::section).distinct(), KEYS.stream().map(Key::name));
  }

  /** The tree in which no key has been set. */
  static ObjectNode defaults() {
    ObjectNode tree = MAPPER.createObjectNode();
    for (Key key : KEYS) {
      JsonNode value = MAPPER.valueToTree(key.defaultValue());
      tree.withObjectProperty(key.section()).set(key.field(), value);
    }
    return tree;
  }
}
