package dev.anneal.training.trainer;

import java.io.Serializable;

/**
 * What a model's loss is on the rows of one sequence, in their order.
 *
 * @param sequence its number in the data set
 * @param targetTokens tokens of each row that are learned
 * @param base cross-entropy of each row, summed over these tokens
 * @param adapted the same with the adapter; {@code null} where there is none
 */
public record SequenceLosses(long sequence, int[] targetTokens, double[] base, double[] adapted)
    implements Serializable {}
