/**
 * The mathematics of a Llama, with the names of transformers: layers and head by
 * autograd, and what is kept of them for the backward pass.
 */
package dev.anneal.training.model;
