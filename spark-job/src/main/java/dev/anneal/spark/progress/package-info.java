/**
 * What ranks tell the driver while they train, and what the user sees of it. Between the two travel
 * bytes and the JVM's own types only.
 */
package dev.anneal.spark.progress;
