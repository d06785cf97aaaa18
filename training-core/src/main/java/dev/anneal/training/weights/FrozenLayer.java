package dev.anneal.training.weights;

import dev.anneal.training.model.ModuleGroup;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * The frozen weights of one decoder layer.
 *
 * @param inputLayernorm {@code [hidden_size]} in the compute dtype
 * @param postAttentionLayernorm likewise
 */
public record FrozenLayer(
    Map<ModuleGroup, FrozenMatrix> matrices,
    Tensor inputLayernorm,
    Tensor postAttentionLayernorm) {}
