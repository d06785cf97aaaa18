package dev.anneal.training.kernel;

import org.bytedeco.pytorch.Tensor;

/**
 * A matrix that a product with frozen weights reads.
 *
 * @param values {@code [T, D]} in the compute dtype
 * @param quantized its FP8 form; {@code null} where products are in the compute dtype
 */
public record Rows(Tensor values, Quantized quantized) {}
