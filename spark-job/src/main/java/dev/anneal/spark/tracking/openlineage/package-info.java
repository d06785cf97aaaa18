/** Runs in OpenLineage, by the listener that a user has put into Spark. */
package dev.anneal.spark.tracking.openlineage;
