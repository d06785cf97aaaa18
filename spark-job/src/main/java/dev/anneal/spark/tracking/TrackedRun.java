package dev.anneal.spark.tracking;

import dev.anneal.spark.Request;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.train.PreparedData;
import java.util.function.UnaryOperator;

/**
 * A run that somebody keeps, as it begins to train.
 *
 * @param folder in which this run may write
 * @param model its fingerprint
 * @param steps optimizer steps of the whole run
 * @param applicationId Spark's
 * @param masked what a text becomes before it is sent anywhere
 */
public record TrackedRun(
    Request request,
    RunFolder folder,
    String model,
    long steps,
    PreparedData data,
    String sparkVersion,
    String applicationId,
    UnaryOperator<String> masked) {}
