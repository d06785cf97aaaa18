/**
 * GPUs below libtorch: streams, events, pinned and device memory, and the libraries that must be
 * there.
 */
package dev.anneal.training.cuda;
