/**
 * Files of models and results: safetensors and their index, folders on any file system, and
 * digests.
 */
package dev.anneal.training.io;
