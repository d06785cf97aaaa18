/** The verb {@code evaluate}: loss and perplexity of a data set, with and without an adapter. */
package dev.anneal.spark.evaluate;
