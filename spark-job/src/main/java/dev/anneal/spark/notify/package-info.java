/** Tells somebody how a run has ended. */
package dev.anneal.spark.notify;
