/** Spark sessions: one that is begun for a run and ends with it, and one of the caller's. */
package dev.anneal.spark.session;
