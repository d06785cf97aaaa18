/** Says before a run what it takes of GPUs and hosts, without any of them. */
package dev.anneal.spark.plan;
