/**
 * One request from its checks to its summary, with attempts at the training stage that go on from
 * the last checkpoint.
 */
package dev.anneal.spark.job;
