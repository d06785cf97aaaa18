/**
 * The page of the runs of an application as a tab of Spark's own pages, while it goes on and, from
 * its event log, in the History Server.
 */
package dev.anneal.spark.sparkui;
