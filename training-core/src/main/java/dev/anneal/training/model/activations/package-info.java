/**
 * What is kept of a micro-batch's forward for its backward, in one place: the policy
 * ({@link dev.anneal.training.model.activations.KeptActivations}), what carries it out
 * (KeptForward, over KeptInputs), and what it takes (StepMemory).
 */
package dev.anneal.training.model.activations;
