/**
 * Looks at driver, executors and what lies between them, and says what would stop a run. Every look
 * has a limit of time, and what executors find travels as text.
 */
package dev.anneal.spark.doctor;
