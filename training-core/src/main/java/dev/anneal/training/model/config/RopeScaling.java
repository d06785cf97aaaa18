package dev.anneal.training.model.config;

import java.io.Serializable;

/**
 * How Llama 3.1 stretches rotary embeddings to longer contexts ({@code rope_type: llama3}): wave
 * lengths above {@code originalMaxPositionEmbeddings / lowFreqFactor} are stretched by {@code
 * factor}, those below {@code originalMaxPositionEmbeddings / highFreqFactor} stay, and those in
 * between are interpolated.
 *
 * @see <a
 *     href="https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py">
 *     transformers, {@code _compute_llama3_parameters}</a>
 */
public record RopeScaling(
    double factor, double lowFreqFactor, double highFreqFactor, int originalMaxPositionEmbeddings)
    implements Serializable {}
