/**
 * The frozen weights of a model: where they lie, and how they come to what computes with them.
 *
 * <p>{@link dev.anneal.training.weights.FrozenLayers} are the decoder layers and {@link
 * dev.anneal.training.weights.FrozenVocabulary} is embedding and head; there is nothing else.
 * {@link dev.anneal.training.weights.Placement} says where and how they are kept. A {@link
 * dev.anneal.training.weights.FrozenLayer} is one layer as it is stored, of a {@link
 * dev.anneal.training.weights.FrozenMatrix} for each group of modules that read the same input.
 *
 * <p>Below, a layer is bytes: {@code LayerLayout} says where its matrices lie, {@code LayerShards}
 * holds a rank's part of every layer, {@code LayerBuffers} brings whole ones together, by {@code
 * LayerPulls} out of other ranks' memory ({@code PullPlan}) or by gathers ({@link
 * dev.anneal.training.weights.Transport}).
 */
package dev.anneal.training.weights;
