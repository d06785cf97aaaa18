/**
 * Where others enter: the main class of {@code spark-submit}, the API for a session that is there,
 * and the two exceptions by which a request is refused or fails.
 */
package dev.anneal.spark;
