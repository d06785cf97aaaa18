/**
 * What ranks do together, over NCCL or Gloo: how they meet at a store that knows a secret, what
 * they exchange, and how it is told that a peer is gone.
 */
package dev.anneal.training.collective;
