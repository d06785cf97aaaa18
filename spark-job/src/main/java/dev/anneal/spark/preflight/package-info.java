/**
 * Every check that needs no executor. A request that passes is a {@code CheckedRequest}; one that
 * does not is refused in one sentence.
 */
package dev.anneal.spark.preflight;
