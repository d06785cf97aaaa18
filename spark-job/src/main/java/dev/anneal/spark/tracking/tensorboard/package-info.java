/** TensorBoard's event files, written without its libraries. */
package dev.anneal.spark.tracking.tensorboard;
