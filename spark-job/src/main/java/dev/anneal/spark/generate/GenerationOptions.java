package dev.anneal.spark.generate;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigContext;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.training.generate.Sampling;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What a program asks for: options by their names, and configuration by its keys. */
public final class GenerationOptions {
  /** Where no configuration says how the model is held: as transformers would on a CPU. */
  public static final List<String> WITHOUT_CONFIG =
      List.of(
          "cluster.nodes=1",
          "cluster.gpus_per_node=0",
          "base_weights.dtype=fp32",
          "base_weights.shard=none",
          "compute.dtype=fp32",
          "compute.matmul=fp32");

  private static final List<String> NAMES =
      List.of(
          "adapter",
          "max_tokens",
          "temperature",
          "top_k",
          "top_p",
          "repetition_penalty",
          "seed",
          "stop",
          "batch_size",
          "prompts_column",
          "output",
          "config");

  private final Map<String, ?> options;

  /**
   * Takes options.
   *
   * @param options by name, and values of the configuration by keys, which have a dot
   * @throws BadRequestException naming the first that is unknown
   */
  public GenerationOptions(Map<String, ?> options) {
    this.options = options;
    for (String option : options.keySet()) {
      if (!NAMES.contains(option) && option.indexOf('.') < 0) {
        throw new BadRequestException(
            "generate has no option '%s': choose among %s, or name a key of the configuration."
                .formatted(option, String.join(", ", NAMES)));
      }
    }
  }

  /** The configuration, with a model. */
  public AnnealConfig config(String model, ConfigContext context) {
    Map<String, Object> values = new HashMap<>();
    options.forEach(
        (key, value) -> {
          if (key.indexOf('.') >= 0) {
            values.put(key, value);
          }
        });
    values.put("model.path", model);
    values.put("lora.init_from", text("adapter"));
    String file = text("config");
    ConfigLoader loader = new ConfigLoader(context).file(file);
    return (file == null ? loader.sets(WITHOUT_CONFIG) : loader).values(values).load();
  }

  /**
   * How continuations are made.
   *
   * @throws BadRequestException naming the first value that does not serve
   */
  public Decoding decoding() {
    try {
      return new Decoding(
          Math.toIntExact(whole("max_tokens", Decoding.DEFAULT_MAX_TOKENS)),
          new Sampling(
              number("temperature", 0),
              Math.toIntExact(whole("top_k", 0)),
              number("top_p", 1),
              number("repetition_penalty", 1),
              whole("seed", Decoding.DEFAULT_SEED)),
          stops(),
          Math.toIntExact(whole("batch_size", Decoding.DEFAULT_BATCH_SIZE)));
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw new BadRequestException(e.getMessage().replaceFirst("[.]$", "") + ".", e);
    }
  }

  private List<String> stops() {
    Object stop = options.get("stop");
    if (stop == null) {
      return List.of();
    }
    return stop instanceof List<?> texts
        ? texts.stream().map(String::valueOf).toList()
        : List.of(stop.toString());
  }

  /** The value of an option as a text; {@code null} where it is not given. */
  public String text(String name) {
    Object value = options.get(name);
    return value == null ? null : value.toString();
  }

  private long whole(String name, long missing) {
    String value = text(name);
    try {
      return value == null ? missing : Long.parseLong(value);
    } catch (NumberFormatException e) {
      throw new BadRequestException(
          "%s is '%s', but must be a whole number.".formatted(name, value), e);
    }
  }

  private double number(String name, double missing) {
    String value = text(name);
    try {
      return value == null ? missing : Double.parseDouble(value);
    } catch (NumberFormatException e) {
      throw new BadRequestException("%s is '%s', but must be a number.".formatted(name, value), e);
    }
  }
}
