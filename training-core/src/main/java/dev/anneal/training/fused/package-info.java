/**
 * The layers of frozen weights with adapters once more, with backwards that are written out and
 * buffers that are used again; equal to those of {@code model}, which autograd differentiates.
 */
package dev.anneal.training.fused;
