package dev.anneal.spark.config;

import static dev.anneal.spark.config.ConfigKey.key;
import static dev.anneal.spark.config.Identity.ALWAYS;
import static dev.anneal.spark.config.Identity.OF_ADAPTERS;
import static dev.anneal.spark.config.Identity.OF_ALPHA_PATTERN;
import static dev.anneal.spark.config.Identity.OF_BEST;
import static dev.anneal.spark.config.Identity.OF_DECAY;
import static dev.anneal.spark.config.Identity.OF_DORA;
import static dev.anneal.spark.config.Identity.OF_DROPOUT;
import static dev.anneal.spark.config.Identity.OF_EXACT_EDGES;
import static dev.anneal.spark.config.Identity.OF_HEAD;
import static dev.anneal.spark.config.Identity.OF_JUDGED_RUNS;
import static dev.anneal.spark.config.Identity.OF_LABEL_SMOOTHING;
import static dev.anneal.spark.config.Identity.OF_LORA_PLUS;
import static dev.anneal.spark.config.Identity.OF_MIN_LR;
import static dev.anneal.spark.config.Identity.OF_NEFTUNE;
import static dev.anneal.spark.config.Identity.OF_NORMS_THAT_STAY;
import static dev.anneal.spark.config.Identity.OF_PATIENCE;
import static dev.anneal.spark.config.Identity.OF_PISSA;
import static dev.anneal.spark.config.Identity.OF_RANK_PATTERN;
import static dev.anneal.spark.config.Identity.OF_RESTARTS;
import static dev.anneal.spark.config.Identity.OF_ROW_LOSS;
import static dev.anneal.spark.config.Rule.above;
import static dev.anneal.spark.config.Rule.atLeast;
import static dev.anneal.spark.config.Rule.bool;
import static dev.anneal.spark.config.Rule.list;
import static dev.anneal.spark.config.Rule.mapping;
import static dev.anneal.spark.config.Rule.matching;
import static dev.anneal.spark.config.Rule.oneOf;
import static dev.anneal.spark.config.Rule.regularExpression;
import static dev.anneal.spark.config.Rule.share;
import static dev.anneal.spark.config.Rule.shareBelowOne;
import static dev.anneal.spark.config.Rule.text;
import static dev.anneal.spark.config.Rule.webAddress;
import static dev.anneal.spark.config.Rule.wholeNumber;
import static dev.anneal.spark.config.Rule.word;

import dev.anneal.training.fused.AttentionLibrary;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Every key of the configuration, declared once. The defaults are the recipe of Llama 3.1 405B on
 * one node of eight GPUs.
 */
final class ConfigKeys {
  private static final long MAX_INT = Integer.MAX_VALUE;
  private static final long MAX_LONG = Long.MAX_VALUE;
  private static final String[] FORMATS = {
    "alpaca",
    "chat",
    "prompt-completion",
    "self-instruct",
    "chip2",
    "hh-rlhf",
    "guanaco",
    "text",
    "tokenized"
  };

  static final List<ConfigKey> ALL =
      List.of(
          key("model.path", "Hugging Face folder, hub:org/name, or random:llama3.1-405b")
              .location(),
          key("model.tokenizer", "folder of the tokenizer where it is not model.path").location(),
          key(
                  "data.source",
                  "path, URI or glob; a plain path is local to every node; table:catalog.schema.name; hub:datasets/org/name")
              .location(),
          key("data.format", "what a row looks like").is(oneOf(FORMATS)).byDefault("alpaca"),
          key("data.columns", "the source's name of a field: {instruction: question}")
              .is(mapping("FIELD: COLUMN pairs", text()))
              .byDefault(Map.of()),
          key("data.template", "file with a chat template in the place of the model's own")
              .location(),
          key("data.max_length", "tokens of a sequence")
              .is(wholeNumber(2, MAX_INT))
              .byDefault(1024),
          key("data.too_long", "what becomes of longer rows")
              .is(oneOf("truncate", "drop"))
              .byDefault("truncate"),
          key("data.split_long", "cut longer rows into several instead")
              .is(bool())
              .byDefault(false),
          key("data.packing", "several rows share a sequence").is(bool()).byDefault(true),
          key("data.shuffle", "rows and epochs in orders drawn from training.seed")
              .identity(ALWAYS)
              .is(bool())
              .byDefault(true),
          key("data.train_on_prompt", "learn the prompts too, not the answers only")
              .is(bool())
              .byDefault(false),
          key("data.limit", "only the first so many rows")
              .is(wholeNumber(1, MAX_LONG))
              .noneByDefault(),
          key("data.eval_rows", "rows held out to measure the loss before and after")
              .is(wholeNumber(0, MAX_INT))
              .byDefault(0),
          key(
                  "data.eval_source",
                  "rows to measure the loss on in the place of held-out ones; what data.source takes")
              .location(),
          key("data.eval_format", "what a row of data.eval_source looks like; null: data.format")
              .is(oneOf(FORMATS))
              .noneByDefault(),
          key("data.eval_columns", "as data.columns, of data.eval_source; null: data.columns")
              .is(mapping("FIELD: COLUMN pairs", text()))
              .noneByDefault(),
          key("data.eval_limit", "only the first so many rows of data.eval_source")
              .is(wholeNumber(1, MAX_INT))
              .noneByDefault(),
          key("data.max_bad_rows", "share of unreadable rows above which the data is refused")
              .is(share())
              .byDefault(0.01),
          key("lora.r", "rank").identity(OF_ADAPTERS).is(wholeNumber(1, MAX_INT)).byDefault(64),
          key("lora.alpha", "the adapter's output is scaled by alpha / r")
              .identity(OF_ADAPTERS)
              .is(above(0))
              .byDefault(64.0),
          key("lora.dropout", "on the adapter's input")
              .identity(OF_ADAPTERS)
              .is(shareBelowOne())
              .byDefault(0.0),
          key("lora.use_rslora", "scale by alpha / sqrt(r) instead")
              .identity(OF_ADAPTERS)
              .is(bool())
              .byDefault(false),
          key("lora.use_dora", "train the length of every row of a weight apart, as DoRA has it")
              .identity(OF_DORA)
              .is(bool())
              .byDefault(false),
          key(
                  "lora.target_modules",
                  "linear modules that get an adapter; all-linear: these seven; a text: a regular expression for whole names")
              .identity(OF_ADAPTERS.as(LoraConfig.Modules::identity))
              .is(
                  list("a list of module names", 1, Integer.MAX_VALUE, text())
                      .or(regularExpression()))
              .byDefault(
                  List.of(
                      "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")),
          key("lora.rank_pattern", "other ranks, as PEFT has them: {v_proj: 16}")
              .identity(OF_RANK_PATTERN)
              .is(mapping("END OF NAME: RANK pairs", wholeNumber(1, MAX_INT)))
              .byDefault(Map.of()),
          key("lora.alpha_pattern", "other alphas, likewise")
              .identity(OF_ALPHA_PATTERN)
              .is(mapping("END OF NAME: ALPHA pairs", above(0)))
              .byDefault(Map.of()),
          key("lora.loraplus_lr_ratio", "learning rate of B over that of A, as LoRA+ has it")
              .identity(OF_LORA_PLUS)
              .is(above(0))
              .byDefault(1.0),
          key(
                  "lora.init",
                  "default, pissa (the weight's largest singular values) or pissa_niter_16 (found by a search)")
              .identity(OF_PISSA)
              .is(
                  word("default")
                      .or(matching("pissa or pissa_niter_N", "pissa(_niter_[1-9]\\d{0,2})?")))
              .byDefault("default"),
          key("lora.init_from", "PEFT adapter folder to start from")
              .identity(OF_ADAPTERS)
              .location(),
          key("base_weights.dtype", "how frozen weights are held")
              .identity(ALWAYS)
              .is(oneOf("fp8", "bf16", "fp32"))
              .byDefault("fp8"),
          key("base_weights.shard", "split over the GPUs of a node, or over all")
              .is(oneOf("none", "node", "world"))
              .byDefault("node"),
          key(
                  "base_weights.offload_ratio",
                  "share of every layer in pinned host memory; auto: as little as fits")
              .is(share().or(word("auto")))
              .byDefault(0.0),
          key(
                  "base_weights.both_layouts",
                  "keep FP8 weights by columns too, in as much memory again: a faster backward")
              .is(bool())
              .byDefault(false),
          key(
                  "base_weights.exact_edges",
                  "so many layers at either end stay in compute.dtype, where FP8 costs the most")
              .identity(OF_EXACT_EDGES)
              .is(wholeNumber(0, MAX_INT))
              .byDefault(0),
          key("compute.dtype", "activations and adapters")
              .identity(ALWAYS)
              .is(oneOf("bf16", "fp32"))
              .byDefault("bf16"),
          key("compute.matmul", "products with frozen weights; fp8 or as dtype")
              .identity(ALWAYS)
              .is(oneOf("fp8", "bf16", "fp32"))
              .byDefault("fp8"),
          key("compute.attention", "whose attention on GPUs; cudnn falls back to flash")
              .is(oneOf("flash", "cudnn"))
              .byDefault(AttentionLibrary.DEFAULT.name().toLowerCase(Locale.ROOT)),
          key("compute.head", "products with the head: exact, or in FP8 backward, or both ways")
              .identity(OF_HEAD)
              .is(oneOf("exact", "fp8_backward", "fp8"))
              .byDefault("exact"),
          key(
                  "activations.checkpoint",
                  "layer, none or a number: all layers, none, or so many of the first keep their input only and are computed twice; auto: as few as fit")
              .is(oneOf("layer", "none", "auto").or(wholeNumber(1, MAX_INT)))
              .byDefault("layer"),
          key("activations.offload", "that input to pinned host memory")
              .is(bool())
              .byDefault(false),
          key(
                  "activations.host_layers",
                  "so many layers keep everything in pinned host memory, checkpoint is about the others; auto: as many as are fastest")
              .is(wholeNumber(0, MAX_INT).or(word("auto")))
              .byDefault(0L),
          key("training.mode", "adapters, or every weight: 18 bytes each on one GPU")
              .identity(ALWAYS)
              .is(oneOf("lora", "full"))
              .byDefault("lora"),
          key("training.micro_batch_size", "sequences a rank takes at once")
              .identity(OF_DROPOUT)
              .is(wholeNumber(1, MAX_INT))
              .byDefault(4),
          key("training.gradient_accumulation", "micro-batches of a rank per step")
              .is(wholeNumber(1, MAX_INT))
              .byDefault(1),
          key("training.max_steps", "optimizer steps").is(wholeNumber(1, MAX_LONG)).byDefault(1000),
          key("training.epochs", "passes over the data; goes before max_steps")
              .is(above(0))
              .noneByDefault(),
          key("training.loss", "the mean over learned tokens, or over rows of their tokens' means")
              .identity(OF_ROW_LOSS)
              .is(oneOf("token", "row"))
              .byDefault("token"),
          key(
                  "training.label_smoothing",
                  "share of every target that goes to the whole vocabulary; 0: none")
              .identity(OF_LABEL_SMOOTHING)
              .is(shareBelowOne())
              .byDefault(0.0),
          key("training.neftune_noise_alpha", "noise on the embedded tokens, often 5; 0: none")
              .identity(OF_NEFTUNE)
              .is(atLeast(0))
              .byDefault(0.0),
          key("training.max_grad_norm", "clip the gradient's norm; 0: never")
              .identity(ALWAYS)
              .is(atLeast(0))
              .byDefault(1.0),
          key("training.on_nan", "end at a loss that is no number, or leave its step out")
              .identity(ALWAYS)
              .is(oneOf("stop", "skip"))
              .byDefault("stop"),
          key("training.seed", "of random weights, orders, dropout and noise")
              .identity(ALWAYS)
              .is(wholeNumber(0, MAX_LONG))
              .byDefault(42),
          key("optimizer.learning_rate", "of AdamW, after the warm-up")
              .identity(ALWAYS)
              .is(above(0))
              .byDefault(2e-5),
          key("optimizer.weight_decay", "decoupled from the gradient")
              .identity(ALWAYS)
              .is(atLeast(0))
              .byDefault(0.0),
          key("optimizer.decay_norms", "of training.mode full; transformers leaves them out")
              .identity(OF_NORMS_THAT_STAY)
              .is(bool())
              .byDefault(true),
          key("optimizer.betas", "decay of the two moments")
              .identity(ALWAYS)
              .is(list("two numbers from 0 to less than 1", 2, 2, shareBelowOne()))
              .byDefault(List.of(0.9, 0.999)),
          key("optimizer.eps", "added to the root of the second moment")
              .identity(ALWAYS)
              .is(above(0))
              .byDefault(1e-8),
          key("schedule.type", "as transformers has them; down to zero but for constant")
              .identity(ALWAYS)
              .is(
                  oneOf(
                      "linear",
                      "cosine",
                      "constant",
                      "cosine_with_min_lr",
                      "cosine_with_restarts",
                      "warmup_stable_decay"))
              .byDefault("linear"),
          key("schedule.warmup_steps", "goes before warmup_ratio")
              .identity(ALWAYS)
              .is(wholeNumber(0, MAX_LONG))
              .noneByDefault(),
          key("schedule.warmup_ratio", "of all steps").identity(ALWAYS).is(share()).byDefault(0.02),
          key(
                  "schedule.min_lr_ratio",
                  "where cosine_with_min_lr and warmup_stable_decay end, of optimizer.learning_rate")
              .identity(OF_MIN_LR)
              .is(share())
              .byDefault(0.0),
          key("schedule.cycles", "of cosine_with_restarts")
              .identity(OF_RESTARTS)
              .is(wholeNumber(1, MAX_LONG))
              .byDefault(1),
          key("schedule.decay_steps", "the last ones of warmup_stable_decay; before decay_ratio")
              .identity(OF_DECAY)
              .is(wholeNumber(0, MAX_LONG))
              .noneByDefault(),
          key("schedule.decay_ratio", "of all steps").identity(OF_DECAY).is(share()).byDefault(0.1),
          key("schedule.decay_type", "how warmup_stable_decay goes down")
              .identity(OF_DECAY)
              .is(oneOf("linear", "cosine", "1-sqrt"))
              .byDefault("cosine"),
          key("checkpoint.every_steps", "0: none").is(wholeNumber(0, MAX_LONG)).byDefault(200),
          key("checkpoint.keep", "the last ones").is(wholeNumber(1, MAX_INT)).byDefault(2),
          key("checkpoint.resume", "from the last complete one, or never")
              .is(oneOf("auto", "never"))
              .byDefault("auto"),
          key(
                  "evaluation.every_steps",
                  "steps between two evaluations; 0: before the first and after the last only")
              .identity(OF_JUDGED_RUNS)
              .is(wholeNumber(0, MAX_LONG))
              .byDefault(0),
          key(
                  "evaluation.keep",
                  "the adapter that is published: the last, or that of the best loss")
              .identity(OF_BEST)
              .is(oneOf("last", "best"))
              .byDefault("last"),
          key("evaluation.patience", "evaluations without a gain that end the run; 0: none do")
              .identity(OF_PATIENCE)
              .is(wholeNumber(0, MAX_INT))
              .byDefault(0),
          key("evaluation.min_delta", "how much the loss must fall to be a gain")
              .identity(OF_PATIENCE)
              .is(atLeast(0))
              .byDefault(0.0),
          key("evaluation.sample_rows", "held-out prompts continued at every evaluation")
              .is(wholeNumber(0, MAX_INT))
              .byDefault(0),
          key("evaluation.sample_tokens", "longest continuation")
              .is(wholeNumber(1, MAX_INT))
              .byDefault(48),
          key("cluster.nodes", "barrier tasks, one executor each")
              .is(wholeNumber(1, MAX_INT))
              .byDefault(1),
          key("cluster.gpus_per_node", "0: the CPU, one rank a node")
              .is(wholeNumber(0, MAX_INT))
              .byDefault(8),
          key("cluster.timeout", "seconds a rank waits for the others")
              .is(wholeNumber(1, MAX_INT))
              .byDefault(600),
          key("cluster.attempts", "training is begun so often without a new checkpoint")
              .is(wholeNumber(1, MAX_INT))
              .byDefault(3),
          key("output.path", "data set, checkpoints, adapter, metrics.jsonl, run.json").location(),
          key(
                  "output.merged",
                  "publish model and adapter as one in merged/ too; auto: of DoRA, which vLLM takes in no other way")
              .is(bool().or(word("auto")))
              .byDefault("auto"),
          key(
                  "tracking.mlflow_uri",
                  "MLflow's server: http(s) or databricks; null: as MLFLOW_TRACKING_URI says; none: not at all")
              .is(text())
              .noneByDefault(),
          key("tracking.mlflow_experiment", "its name; null: as MLflow's variables say")
              .is(text())
              .noneByDefault(),
          key("tracking.mlflow_run_name", "null: the last name of output.path")
              .is(text())
              .noneByDefault(),
          key("tracking.mlflow_registered_model", "a new version of it is the adapter")
              .is(text())
              .noneByDefault(),
          key("tracking.mlflow_artifacts", "the adapter goes to MLflow's artifacts")
              .is(bool())
              .byDefault(true),
          key("tracking.tensorboard", "event files in tensorboard/ of the output folder")
              .is(bool())
              .byDefault(false),
          key("profile.steps", "a trace of so many steps behind the third in profile/; 0: none")
              .is(wholeNumber(0, MAX_INT))
              .byDefault(0),
          key("webhooks.on_success", "told when a run has succeeded; a secret, as in ${MY_HOOK}")
              .is(webAddress())
              .secret(),
          key("webhooks.on_failure", "told when a run has failed or was told to end; a secret")
              .is(webAddress())
              .secret(),
          key("webhooks.format", "auto: slack where Slack listens, else json")
              .is(oneOf("auto", "json", "slack"))
              .byDefault("auto"));

  private ConfigKeys() {}
}
