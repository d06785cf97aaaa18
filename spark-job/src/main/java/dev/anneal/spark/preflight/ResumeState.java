package dev.anneal.spark.preflight;

import dev.anneal.spark.checkpoint.CheckpointSearch;
import dev.anneal.spark.train.PreparedData;

/**
 * What a run that did not get to its end has left for the next.
 *
 * @param data what it prepared; {@code null} where it did not get that far
 * @param checkpoints those that the run can go on from
 */
public record ResumeState(PreparedData data, CheckpointSearch checkpoints) {}
