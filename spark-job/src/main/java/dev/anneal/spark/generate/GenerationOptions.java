package dev.anneal.spark.generate;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.NamedOptions;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigContext;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.training.generate.Sampling;
import java.util.List;
import java.util.Map;

/** What a program asks for: options by their names, and configuration by its keys. */
public final class GenerationOptions {
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

  private final NamedOptions options;

  /**
   * Takes options.
   *
   * @param options by name, and values of the configuration by keys, which have a dot
   * @throws BadRequestException naming the first that is unknown
   */
  public GenerationOptions(Map<String, ?> options) {
    this.options =
        NamedOptions.of(
            options,
            NAMES,
            true,
            "generate has no option '%s': choose among %s, or name a key of the configuration.");
  }

  /** The configuration, with a model. */
  public AnnealConfig config(String model, ConfigContext context) {
    Map<String, Object> values = options.keys();
    values.put("model.path", model);
    // also where the configuration says how training begins
    values.put("lora.init_from", text("adapter"));
    values.put("lora.init", "default");
    values.put("lora.use_dora", false);
    String file = text("config");
    ConfigLoader loader = new ConfigLoader(context).file(file);
    return (file == null ? loader.sets(ConfigLoader.ON_ONE_CPU) : loader).values(values).load();
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
          options.texts("stop"),
          Math.toIntExact(whole("batch_size", Decoding.DEFAULT_BATCH_SIZE)));
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw new BadRequestException(e.getMessage().replaceFirst("[.]$", "") + ".", e);
    }
  }

  /** The value of an option as a text; {@code null} where it is not given. */
  public String text(String name) {
    return options.text(name);
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
