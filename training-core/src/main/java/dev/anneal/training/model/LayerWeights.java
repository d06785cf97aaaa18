package dev.anneal.training.model;

import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * The weights of one decoder layer in the compute dtype.
 *
 * @param linears {@code [out, in]} of each of the seven linear modules
 * @param inputLayernorm {@code [hidden_size]}
 * @param postAttentionLayernorm {@code [hidden_size]}
 */
public record LayerWeights(
    Map<LinearModule, Tensor> linears, Tensor inputLayernorm, Tensor postAttentionLayernorm) {}
