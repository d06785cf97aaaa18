/**
 * {@code report.html}: curves and facts of one run or of several on a page that asks nothing of
 * anybody, made while a run goes on, at its end, or later from its files.
 */
package dev.anneal.spark.report;
