/**
 * How a model goes on from a prompt: passes over the layers with a cache of keys and values, and
 * the choice of each next token, which rank 0 makes for all ranks.
 */
package dev.anneal.training.generate;
