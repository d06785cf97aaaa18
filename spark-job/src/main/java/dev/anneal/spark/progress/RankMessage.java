package dev.anneal.spark.progress;

import java.io.Serializable;

/**
 * What a rank tells, and in whose name.
 *
 * @param attempt the attempt at the training stage that the rank belongs to
 */
public record RankMessage(String attempt, RankEvent event) implements Serializable {}
