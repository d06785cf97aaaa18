/** Where base weights come from: checkpoints of files, and random ones for measurements. */
package dev.anneal.training.weights.reader;
