/**
 * Products of matrices: by cuBLASLt itself on GPUs, whose descriptors and algorithms are kept from
 * call to call, with adapters by a kernel of ours where that takes them, and by libtorch's
 * operators anywhere.
 */
package dev.anneal.training.product;
