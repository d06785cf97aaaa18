/**
 * Where models are read from and runs write to, on any file system that Hadoop knows: the layout of
 * an output folder and what object stores are set to.
 */
package dev.anneal.spark.storage;
