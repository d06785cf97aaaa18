/**
 * A rank's part of a checkpoint: what is written, in which files, and how it is read back by as
 * many ranks or by others. That all parts are there is told by the manifest, which whoever starts
 * the ranks writes.
 */
package dev.anneal.training.checkpoint;
