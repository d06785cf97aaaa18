/**
 * The frozen weights of a model: read from files once, divided among ranks, quantized, and brought
 * to a layer when it is computed.
 */
package dev.anneal.training.weights;
