package dev.anneal.spark.generate;

import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.training.generate.Sampling;
import java.util.List;

/**
 * What the user asked a model for.
 *
 * @param config {@code model.path}, {@code lora.init_from} for an adapter, and how weights are held
 *     and where
 * @param prompts as texts; none where they are in a file
 * @param promptFile path or URI; {@code null} for none
 * @param maxTokens of a continuation
 * @param stops texts that end a continuation, none of them empty
 * @param batchSize most prompts side by side
 * @param output path or URI of a file that is not there; {@code null} for standard output
 */
public record GenerationRequest(
    AnnealConfig config,
    List<String> prompts,
    String promptFile,
    int maxTokens,
    Sampling sampling,
    List<String> stops,
    int batchSize,
    String output) {

  public GenerationRequest {
    prompts = List.copyOf(prompts);
    stops = List.copyOf(stops);
  }
}
