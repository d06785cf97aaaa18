/**
 * The right of one run to write into its output folder: who has it, how it is taken and how its
 * loss is noticed, on local disks and on stores that cannot lock.
 */
package dev.anneal.spark.lease;
