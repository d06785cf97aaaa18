/**
 * Attention by cuDNN's graph interface: graphs of operations, plans to carry them out, and the
 * shapes that plans are made for. Nothing here knows libtorch; addresses are the caller's.
 */
package dev.anneal.training.cudnn;
