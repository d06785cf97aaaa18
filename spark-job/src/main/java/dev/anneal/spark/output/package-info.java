/**
 * What a run leaves for its user: the adapter, metrics.jsonl, run.json and the summary on the
 * terminal.
 */
package dev.anneal.spark.output;
