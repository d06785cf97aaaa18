/** The command line: what a user may ask for, and the exit code that comes back. */
package dev.anneal.spark.cli;
