/** A run in MLflow, over the REST interface of its tracking server. */
package dev.anneal.spark.tracking.mlflow;
