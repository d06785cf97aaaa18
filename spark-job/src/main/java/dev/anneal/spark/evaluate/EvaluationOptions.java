package dev.anneal.spark.evaluate;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.NamedOptions;
import dev.anneal.spark.Request;
import dev.anneal.spark.config.ConfigLoader;
import java.util.List;
import java.util.Map;

/** A request of a program: options by name, and keys of the configuration, which have a dot. */
public final class EvaluationOptions {
  private static final List<String> NAMES =
      List.of(
          "model",
          "adapter",
          "data",
          "dataset",
          "split",
          "generate",
          "max_tokens",
          "batch_size",
          "output");

  private final NamedOptions options;

  private EvaluationOptions(NamedOptions options) {
    this.options = options;
  }

  /**
   * The request.
   *
   * @param file configuration; {@code null} for none
   * @throws BadRequestException naming what is unknown, missing or unfit
   */
  public static EvaluationRequest request(
      Map<String, ?> options, Request.Existing existing, ConfigLoader loader, String file) {
    NamedOptions given =
        NamedOptions.of(options, NAMES, true, "An evaluation has no option '%s': choose among %s.");
    return new EvaluationOptions(given).request(existing, loader, file);
  }

  private EvaluationRequest request(Request.Existing existing, ConfigLoader loader, String file) {
    String data = options.text("data");
    String dataset = options.text("dataset");
    if ((data == null) == (dataset == null)) {
      throw new BadRequestException(
          "An evaluation takes either 'data' or 'dataset': name one of them.");
    }
    loader.file(file);
    if (file == null) {
      loader.sets(EvaluationRequest.WITHOUT_CONFIG);
    }
    loader.values(options.keys());
    loader.values(
        EvaluationRequest.values(
            options.text("model"), options.text("adapter"), data, options.text("output")));
    return new EvaluationRequest(
        loader.load(),
        EvaluationRequest.located(dataset),
        EvaluationRequest.split(options.text("split")),
        number("generate", 0),
        number("max_tokens", EvaluationRequest.DEFAULT_MAX_TOKENS),
        number("batch_size", EvaluationRequest.DEFAULT_BATCH_SIZE),
        EvaluationRequest.located(options.text("output")),
        existing);
  }

  private int number(String name, int missing) {
    String text = options.text(name);
    try {
      return text == null ? missing : Integer.parseInt(text);
    } catch (NumberFormatException e) {
      throw new BadRequestException(
          "'%s' is '%s', but must be a whole number.".formatted(name, text), e);
    }
  }
}
