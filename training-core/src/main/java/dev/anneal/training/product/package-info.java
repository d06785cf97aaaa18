/**
 * Products of matrices: by cuBLASLt itself on GPUs, whose descriptors and algorithms are kept from
 * call to call, and by libtorch's operators anywhere.
 */
package dev.anneal.training.product;
