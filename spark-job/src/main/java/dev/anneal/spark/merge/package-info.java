/** The verb {@code merge}: an adapter put into its base model, a file a task. */
package dev.anneal.spark.merge;
