/**
 * When a rank does what: the times of every step, and the spans of a few steps for a trace. Taking
 * them down fails no run, and a step waits for its device no more often because of it.
 */
package dev.anneal.training.timing;
