package dev.anneal.training.trainer;

import java.io.Serializable;

/**
 * How a run that was evaluated on its way has ended.
 *
 * @param step optimizer steps done
 * @param early whether it has ended before its last step because nothing was gained for too long
 * @param withoutGain evaluations since the last gain
 * @param bestStep of the smallest held-out loss
 * @param bestLoss that loss
 * @param resultStep whose adapter, or model, is the result
 */
public record EvaluatedEnd(
    long step, boolean early, int withoutGain, long bestStep, double bestLoss, long resultStep)
    implements Serializable {}
