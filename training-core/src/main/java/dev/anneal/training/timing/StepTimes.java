package dev.anneal.training.timing;

import java.io.Serializable;

/**
 * Where the time of a step went, in milliseconds; NaN where it was not measured. The parts overlap:
 * the host reads and enqueues while the device works, and exchanges and copies go on beside the
 * computation.
 *
 * @param step the wall time from the end of the step before
 * @param dataWait the host reads sequences of steps to come; of the rank that took longest
 * @param hostEnqueue the host gives the device its work, without what it waits for the device at
 *     the end; 0 on the CPU, where the host is the device
 * @param device the device is at forward and backward, what it waits for there included, and at the
 *     update (on a GPU that of the step before)
 * @param exchange collectives and copies between ranks, added up, each from when its stream begins
 *     with it, so that waiting for a peer counts
 * @param offload copies of weights and activations between host and device, added up
 */
public record StepTimes(
    double step,
    double dataWait,
    double hostEnqueue,
    double device,
    double exchange,
    double offload)
    implements Serializable {

  /** Not measured. */
  public static final StepTimes UNKNOWN =
      new StepTimes(Double.NaN, Double.NaN, Double.NaN, Double.NaN, Double.NaN, Double.NaN);

  /** Whether they were measured. */
  public boolean areKnown() {
    return !Double.isNaN(step);
  }
}
