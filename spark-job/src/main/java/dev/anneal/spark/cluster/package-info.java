/**
 * What of Spark's configuration matters here: how many tasks run at once, on which nodes, and what
 * is set where the user has set nothing.
 */
package dev.anneal.spark.cluster;
