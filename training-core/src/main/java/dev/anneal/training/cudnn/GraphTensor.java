package dev.anneal.training.cudnn;

/**
 * A tensor of a graph.
 *
 * @param dims {@code [rows, heads, tokens, elements]}
 * @param strides of each, in elements
 */
record GraphTensor(Descriptor descriptor, long[] dims, long[] strides) {}
