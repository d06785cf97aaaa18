package dev.anneal.training.weights;

import dev.anneal.training.model.ModuleGroup;
import org.bytedeco.pytorch.Tensor;

/**
 * The joined weight of a {@link ModuleGroup} that does not train.
 *
 * @param weight {@code [out, in]} contiguous, in the compute dtype or in e4m3
 * @param scale {@code [out]} fp32: what the rows of an e4m3 weight are multiplied with; {@code
 *     null} in the compute dtype
 */
public record FrozenMatrix(Tensor weight, Tensor scale) {}
