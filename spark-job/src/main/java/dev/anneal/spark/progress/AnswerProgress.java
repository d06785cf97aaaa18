package dev.anneal.spark.progress;

/**
 * How far a request for continuations is.
 *
 * @param before prompts that an earlier process has answered
 * @param done prompts that are answered, those among them
 * @param tokens of the others
 */
public record AnswerProgress(long before, long done, long total, long tokens) {}
