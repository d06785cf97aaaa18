/**
 * Our CUDA kernels, compiled where they run, each beside a plain twin of libtorch's operators that
 * serves the CPU and is what it is tested by.
 */
package dev.anneal.training.kernel;
