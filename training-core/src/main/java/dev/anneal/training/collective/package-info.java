/**
 * What ranks do together, over NCCL or Gloo: what they exchange, and how it is told that a peer is
 * gone.
 */
package dev.anneal.training.collective;
