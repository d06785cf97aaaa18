/**
 * The preparation as a Spark job: rows are read, checked, tokenized, packed and written as a data
 * set with a manifest. {@code AnnealDataset} reads one as a DataFrame.
 */
package dev.anneal.data;
