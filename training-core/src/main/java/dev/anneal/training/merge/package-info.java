/** An adapter put into its base model: which files that makes, what they hold, and its proof. */
package dev.anneal.training.merge;
