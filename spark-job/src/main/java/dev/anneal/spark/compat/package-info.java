/** What stands in the place of parts of Spark and Scala that not every line has. */
package dev.anneal.spark.compat;
