package dev.anneal.training.merge;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.JsonObject;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.model.config.LlamaConfig;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The {@code config.json} of a merged model: that of its base, but for the type of its weights. */
public final class MergedConfig {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String QUANTIZATION = "quantization_config";

  /** Names of the same setting, the newer first. */
  private static final List<String> DTYPES = List.of("dtype", "torch_dtype");

  private MergedConfig() {}

  /**
   * The text of it.
   *
   * @param dtype {@code null} where each weight is as in the base model
   */
  public static String of(ModelFolder base, MergeDType dtype) throws IOException {
    String text = text(base);
    if (dtype == null || !(JSON.readTree(text) instanceof ObjectNode config)) {
      return text;
    }
    List<String> keys = DTYPES.stream().filter(config::has).toList();
    for (String key : keys.isEmpty() ? DTYPES.subList(1, 2) : keys) {
      config.put(key, dtype.torchName());
    }
    if (dtype == MergeDType.FP8) {
      CompressedTensors.describe(config);
    }
    return JsonObject.print(config);
  }

  /**
   * Refuses weights that are quantized: a sum of them and an adapter would have to be quantized
   * again, and how it was done is not said.
   *
   * @throws InvalidModelException if they are
   */
  public static void requirePlain(ModelFolder base) throws IOException {
    JsonNode quantization = JSON.readTree(text(base)).path(QUANTIZATION);
    if (!quantization.isMissingNode() && !quantization.isNull()) {
      throw new InvalidModelException(
          "%s has %s: merge into the model that it was quantized from, with --dtype fp8 for another such one."
              .formatted(base.locationOf(LlamaConfig.FILE), QUANTIZATION));
    }
  }

  private static String text(ModelFolder base) throws IOException {
    try (InputStream in = Channels.newInputStream(base.open(LlamaConfig.FILE))) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
