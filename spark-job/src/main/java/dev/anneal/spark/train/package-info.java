/**
 * The training stage on an executor: a barrier task finds its peers, gives every GPU of its node a
 * rank, and runs the training core in it.
 */
package dev.anneal.spark.train;
