package dev.anneal.training.kernel;

import org.bytedeco.pytorch.Tensor;

/**
 * A matrix in FP8: {@code bytes * scale} is about what it was.
 *
 * @param bytes {@code [R, D]} e4m3 (fn: no infinities, largest value 448), contiguous
 * @param scale {@code [R, 1]} fp32: the largest magnitude of the row over 448; 1 for a row of zeros
 */
public record Quantized(Tensor bytes, Tensor scale) {}
