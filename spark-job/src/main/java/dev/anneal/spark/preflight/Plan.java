package dev.anneal.spark.preflight;

import dev.anneal.data.PrepSpec;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.storage.RunFolder;

/**
 * A request that has passed every check.
 *
 * @param prep {@code null} where the data set is there already
 * @param tokenizer folder of the tokenizer; {@code null} where rows come tokenized and there is
 *     none
 * @param vocabSize tokens that the model embeds
 */
public record Plan(
    AnnealConfig config, PrepSpec prep, String tokenizer, int vocabSize, RunFolder folder) {}
