/**
 * What is kept of a micro-batch's forward for its backward: {@link
 * dev.anneal.training.model.activations.KeptActivations} says what, {@link
 * dev.anneal.training.model.activations.KeptForward} does it, {@link
 * dev.anneal.training.model.activations.StepMemory} counts what it takes.
 */
package dev.anneal.training.model.activations;
