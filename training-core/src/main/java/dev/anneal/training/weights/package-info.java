/**
 * The frozen weights of a model: divided among ranks, quantized, and brought
 * to a layer when it is computed.
 */
package dev.anneal.training.weights;
