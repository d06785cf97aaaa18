package dev.anneal.spark.generate;

import dev.anneal.training.generate.Sampling;
import java.util.List;

/**
 * How continuations are made.
 *
 * @param maxTokens of a continuation
 * @param stops texts that end a continuation, none of them empty
 * @param batchSize most prompts side by side
 */
public record Decoding(int maxTokens, Sampling sampling, List<String> stops, int batchSize) {
  public static final int DEFAULT_MAX_TOKENS = 256;
  public static final int DEFAULT_BATCH_SIZE = 8;
  public static final long DEFAULT_SEED = 42;

  /**
   * Checks them.
   *
   * @throws IllegalArgumentException if one is out of its range; says which
   */
  public Decoding {
    stops = List.copyOf(stops);
    require(maxTokens >= 1, "max_tokens is %s, but must be 1 or more".formatted(maxTokens));
    require(batchSize >= 1, "batch_size is %s, but must be 1 or more".formatted(batchSize));
    require(stops.stream().noneMatch(String::isEmpty), "stop is empty, but must be a text");
    require(
        !sampling.isGreedy() || (sampling.topK() == 0 && sampling.topP() == 1),
        "top_p and top_k draw, but nothing is drawn at a temperature of 0: add temperature 1");
  }

  private static void require(boolean holds, String otherwise) {
    if (!holds) {
      throw new IllegalArgumentException(otherwise);
    }
  }
}
