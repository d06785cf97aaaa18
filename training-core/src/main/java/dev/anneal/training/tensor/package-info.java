/**
 * Tensors of libtorch without the noise of JavaCPP: scopes that free them, types and devices,
 * gradients, and the loading of the native libraries. Nothing else touches these details.
 */
package dev.anneal.training.tensor;
