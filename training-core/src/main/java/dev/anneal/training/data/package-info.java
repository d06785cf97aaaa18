/** Prepared sequences as the trainer asks for them, wherever they lie. */
package dev.anneal.training.data;
