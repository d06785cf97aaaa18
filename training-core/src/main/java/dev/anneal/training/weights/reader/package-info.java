/** Where base weights come from: safetensors files, and random ones for measurements. */
package dev.anneal.training.weights.reader;
