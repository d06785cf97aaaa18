package dev.anneal.training.data;

/**
 * One training sequence: one or more rows laid end to end, without padding.
 *
 * @param inputIds token ids, {@code [T]}
 * @param rowLengths tokens of each row, summing to {@code T}; attention and RoPE positions start
 *     anew with every row
 * @param targetSpans {@code [start, end)} pairs of positions in {@code inputIds} whose tokens are
 *     learned (each predicted from the position before it, within its row)
 */
public record TokenSequence(int[] inputIds, int[] rowLengths, int[] targetSpans) {}
