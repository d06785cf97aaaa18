package dev.anneal.spark.evaluate;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.Request;
import dev.anneal.spark.config.ConfigLoader;
import java.util.HashMap;
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

  private final Map<String, ?> options;

  private EvaluationOptions(Map<String, ?> options) {
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
    return new EvaluationOptions(options).request(existing, loader, file);
  }

  private EvaluationRequest request(Request.Existing existing, ConfigLoader loader, String file) {
    Map<String, Object> keys = new HashMap<>();
    options.forEach(
        (name, value) -> {
          if (name.contains(".")) {
            keys.put(name, value);
          } else if (!NAMES.contains(name)) {
            throw new BadRequestException(
                "An evaluation has no option '%s': choose among %s."
                    .formatted(name, String.join(", ", NAMES)));
          }
        });
    String data = text("data");
    String dataset = text("dataset");
    if ((data == null) == (dataset == null)) {
      throw new BadRequestException(
          "An evaluation takes either 'data' or 'dataset': name one of them.");
    }
    loader.file(file);
    if (file == null) {
      loader.sets(EvaluationRequest.WITHOUT_CONFIG);
    }
    loader.values(keys);
    loader.values(EvaluationRequest.values(text("model"), text("adapter"), data, text("output")));
    return new EvaluationRequest(
        loader.load(),
        EvaluationRequest.located(dataset),
        EvaluationRequest.split(text("split")),
        number("generate", 0),
        number("max_tokens", EvaluationRequest.DEFAULT_MAX_TOKENS),
        number("batch_size", EvaluationRequest.DEFAULT_BATCH_SIZE),
        EvaluationRequest.located(text("output")),
        existing);
  }

  private String text(String name) {
    Object value = options.get(name);
    return value == null ? null : value.toString();
  }

  private int number(String name, int missing) {
    String text = text(name);
    try {
      return text == null ? missing : Integer.parseInt(text);
    } catch (NumberFormatException e) {
      throw new BadRequestException(
          "'%s' is '%s', but must be a whole number.".formatted(name, text), e);
    }
  }
}
