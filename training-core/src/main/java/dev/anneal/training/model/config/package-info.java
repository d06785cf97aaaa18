/** What a model is before its weights are read: its shape, its tensors' names, what is refused. */
package dev.anneal.training.model.config;
