/**
 * The loop: steps, evaluations, checkpoints and the result, from a specification and a source of
 * sequences, telling a listener what happens.
 */
package dev.anneal.training.trainer;
