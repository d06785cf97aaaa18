package dev.anneal.spark;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * What a training has left.
 *
 * @param output folder of the run, as a path or URI
 * @param adapter folder of the adapter that PEFT and vLLM load; with {@code training.mode: full}
 *     that of the model
 * @param metrics {@code metrics.jsonl}: a row for every optimizer step and every evaluation
 * @param answers a row for each of {@code evaluation.sample_rows} held-out prompts: {@code prompt},
 *     {@code before} and {@code after}, what the model answers before and after training
 */
public record RunResult(
    String output, String adapter, Dataset<Row> metrics, Dataset<Row> answers) {}
