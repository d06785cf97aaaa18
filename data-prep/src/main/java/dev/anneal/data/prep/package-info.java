/**
 * The preparation as a Spark job: rows are read, checked, tokenized, packed and written as a data
 * set with a manifest; and what can be said of it before the job starts.
 */
package dev.anneal.data.prep;
