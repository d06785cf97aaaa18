package dev.anneal.spark.train;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;

/** How a data set is cut into optimizer steps. */
public final class Batches {
  private Batches() {}

  /**
   * Checks that there is data for one step.
   *
   * @param count how to say the number of sequences
   * @throws BadRequestException if there are fewer sequences than a global batch takes
   */
  public static void requireOneStep(AnnealConfig config, String count, long sequences) {
    if (sequences < config.globalBatch()) {
      throw new BadRequestException(
          "The data set has %s sequences to train on, but one optimizer step takes %s (%s ranks x %s training.gradient_accumulation x %s training.micro_batch_size): lower one of these, or give it more data."
              .formatted(
                  count,
                  config.globalBatch(),
                  config.worldSize(),
                  config.training().gradientAccumulation(),
                  config.training().microBatchSize()));
    }
  }

  /** Optimizer steps of the run; {@code training.epochs} goes before {@code max_steps}. */
  public static long steps(AnnealConfig config, long sequences) {
    Double epochs = config.training().epochs();
    return epochs == null
        ? config.training().maxSteps()
        : (long) Math.ceil(epochs * sequences / config.globalBatch());
  }
}
