package dev.anneal.spark.preflight;

import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.spark.checkpoint.CheckpointSearch;

/**
 * What a run that did not get to its end has left for the next.
 *
 * @param dataset what it prepared; {@code null} where it did not get that far
 * @param checkpoints those that the run can go on from
 */
public record ResumeState(DatasetManifest dataset, CheckpointSearch checkpoints) {}
