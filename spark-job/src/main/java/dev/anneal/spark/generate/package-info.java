/**
 * Continuations of prompts as a Spark job: prompts become token ids, a barrier stage goes on from
 * them, and what comes of it is written as JSON lines.
 */
package dev.anneal.spark.generate;
