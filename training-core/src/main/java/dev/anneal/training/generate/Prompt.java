package dev.anneal.training.generate;

import java.io.Serializable;

/**
 * What a model goes on from.
 *
 * @param index what messages call it and random draws derive from; the same prompt under the same
 *     index gives the same continuation, whatever is generated beside it
 * @param ids its tokens, one or more
 */
public record Prompt(long index, int[] ids) implements Serializable {}
