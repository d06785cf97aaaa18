/**
 * The driver's side of checkpoints: ranks write their parts, and here they are completed, found,
 * checked and removed. What a run must have in common with a checkpoint to go on from it is its
 * identity.
 */
package dev.anneal.spark.checkpoint;
