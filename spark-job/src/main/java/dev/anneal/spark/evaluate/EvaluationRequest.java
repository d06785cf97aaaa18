package dev.anneal.spark.evaluate;

import dev.anneal.data.manifest.Split;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.Request;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.spark.config.Locations;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * What the user asked for.
 *
 * @param config {@code model.path}, {@code lora.init_from} for an adapter, how weights are held and
 *     where, and {@code data.source} for rows that are not prepared
 * @param dataset folder of a prepared data set, or of the run that it is in; {@code null} for rows
 *     of {@code data.source}
 * @param split of the prepared data set; {@code null} for what is held out, or what is trained on
 *     where nothing is
 * @param generate how many rows are answered to be read
 * @param maxTokens of an answer
 * @param batchSize sequences of a pass
 * @param output folder; {@code null} for none
 * @param existing what becomes of an evaluation that is there
 */
public record EvaluationRequest(
    AnnealConfig config,
    String dataset,
    Split split,
    int generate,
    int maxTokens,
    int batchSize,
    String output,
    Request.Existing existing) {

  public static final int DEFAULT_MAX_TOKENS = 256;
  public static final int DEFAULT_BATCH_SIZE = 8;

  /**
   * Where no configuration says how the model is held, and what is cut: the model's context says
   * it.
   */
  public static final List<String> WITHOUT_CONFIG =
      Stream.concat(
              ConfigLoader.ON_ONE_CPU.stream(), Stream.of("data.max_length=" + Integer.MAX_VALUE))
          .toList();

  public EvaluationRequest {
    require(
        dataset != null || config.data().rows().source() != null,
        "there are no rows: name a prepared data set or data");
    require(
        split == null || dataset != null,
        "a split is named, but only prepared data sets have some: leave it out");
    require(generate >= 0, "generate is %s, but must be 0 or more".formatted(generate));
    require(maxTokens >= 1, "max tokens is %s, but must be 1 or more".formatted(maxTokens));
    require(batchSize >= 1, "batch size is %s, but must be 1 or more".formatted(batchSize));
    require(
        output != null || dataset != null,
        "the rows are prepared first, but there is no place for them: name a folder for the output");
    require(
        output != null || generate == 0,
        "answers to be read need a place: name a folder for the output");
  }

  private static void require(boolean holds, String otherwise) {
    if (!holds) {
      throw new BadRequestException("The evaluation cannot begin, %s.".formatted(otherwise));
    }
  }

  /**
   * What a request sets of its configuration, by key: also what decides how a model trains is set
   * so that it does not stand in the way.
   *
   * @param model {@code null} for that of the configuration
   * @param adapter {@code null} for none, also where the configuration names one to start from
   * @param data {@code null} for none
   * @param output {@code null} for none
   */
  public static Map<String, Object> values(
      String model, String adapter, String data, String output) {
    Map<String, Object> values = new HashMap<>();
    if (model != null) {
      values.put("model.path", model);
    }
    values.put("lora.init_from", adapter);
    values.put("lora.dropout", 0);
    values.put("lora.init", "default");
    values.put("lora.use_dora", false);
    values.put("training.mode", "lora");
    values.put("evaluation.sample_rows", 0);
    values.put("data.source", data);
    values.put("data.eval_rows", 0);
    values.put("data.packing", false);
    values.put("data.shuffle", false);
    values.put("output.path", output);
    return values;
  }

  /** The split of that name; {@code null} for none. */
  public static Split split(String name) {
    if (name == null) {
      return null;
    }
    return switch (name) {
      case "train" -> Split.TRAIN;
      case "eval" -> Split.EVAL;
      default ->
          throw new BadRequestException(
              "The split is '%s', but must be train or eval.".formatted(name));
    };
  }

  /** A location as every machine understands it; {@code null} for none. */
  public static String located(String location) {
    return location == null
        ? null
        : Locations.resolve(location, Path.of("")).replaceFirst("(?<=[^/:])/+$", "");
  }

  boolean hasAdapter() {
    return config.lora().initFrom() != null;
  }
}
