/**
 * The model's own tokenizer and chat template, as Python's transformers apply them. Templates are
 * written by others and run in a sandbox.
 */
package dev.anneal.data.token;
