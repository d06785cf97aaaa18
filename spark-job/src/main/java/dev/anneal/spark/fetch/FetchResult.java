package dev.anneal.spark.fetch;

/**
 * What lies in the folder now.
 *
 * @param location path or URI of the folder
 * @param commit that its files are of
 * @param files number of those that were wanted
 * @param bytes of them
 * @param fetchedBytes of what had to be fetched for it now
 */
public record FetchResult(
    String location, String commit, int files, long bytes, long fetchedBytes) {}
