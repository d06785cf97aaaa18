/**
 * Takes what a run measures to where people keep their runs: MLflow, TensorBoard and Spark's metric
 * system. Nothing here holds up a step or fails a run.
 */
package dev.anneal.spark.tracking;
