/**
 * The configuration: every key is declared once, in {@code ConfigKeys}, and loader, reference file,
 * JSON Schema and the identity of a run follow from that.
 */
package dev.anneal.spark.config;
