/**
 * What tasks hand to the driver. The thread with which Spark reads it may see Spark's class loader
 * alone, so it consists of the JVM's own types.
 */
package dev.anneal.data.task;
