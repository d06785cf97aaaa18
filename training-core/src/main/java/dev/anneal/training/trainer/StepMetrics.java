package dev.anneal.training.trainer;

import dev.anneal.training.timing.StepTimes;
import java.io.Serializable;

/**
 * What one optimizer step measured, the same on every rank but for the times.
 *
 * @param step counted from 1
 * @param loss the objective of the global batch: cross-entropy per target token, if nothing else is
 *     asked for
 * @param gradNorm global L2 norm of the gradients before clipping
 * @param learningRate that this step used
 * @param targetTokens learned tokens of the global batch
 * @param tokens all tokens of the global batch (there is no padding)
 * @param tokensPerSecond {@code tokens} over the wall time of the step
 * @param peakMemoryBytes the most memory any rank has held so far: on CPU the resident set
 * @param epoch passes over the data set done after this step
 * @param skipped whether its loss or gradient was not finite and it changed nothing
 * @param times where the rank's time went
 */
public record StepMetrics(
    long step,
    double loss,
    double gradNorm,
    double learningRate,
    long targetTokens,
    long tokens,
    double tokensPerSecond,
    long peakMemoryBytes,
    double epoch,
    boolean skipped,
    StepTimes times)
    implements Serializable {}
