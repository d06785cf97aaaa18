/** Adapters: which modules get one, their shapes and first values, and PEFT's files of them. */
package dev.anneal.training.lora;
