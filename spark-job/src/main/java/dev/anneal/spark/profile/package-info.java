/**
 * Profiles of a run's steps: every rank writes what it took down, and the driver makes one trace of
 * them.
 */
package dev.anneal.spark.profile;
