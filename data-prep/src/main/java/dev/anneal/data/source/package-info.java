/** Reads rows from files in JSON, CSV, Parquet and Arrow, a range of a file at a time. */
package dev.anneal.data.source;
