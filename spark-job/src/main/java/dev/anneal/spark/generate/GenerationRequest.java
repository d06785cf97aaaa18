package dev.anneal.spark.generate;

import dev.anneal.spark.config.AnnealConfig;

/**
 * What the user asked a model for.
 *
 * @param config {@code model.path}, {@code lora.init_from} for an adapter, and how weights are held
 *     and where
 * @param output {@code null} for none: whoever asked gets the answers
 */
public record GenerationRequest(
    AnnealConfig config, Decoding decoding, PromptInput prompts, GenerationOutput output) {}
