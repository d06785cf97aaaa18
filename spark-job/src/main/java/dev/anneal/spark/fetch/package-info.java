/**
 * Brings models and data sets of the Hugging Face hub to a folder of this machine, or as a Spark
 * job to an object store; whatever breaks off goes on where it stopped.
 */
package dev.anneal.spark.fetch;
