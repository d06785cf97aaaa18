package dev.anneal.spark.preflight;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.train.Batches;
import dev.anneal.spark.train.PreparedData;

/** Whether a prepared data set can train the model. */
public final class DatasetCheck {
  private DatasetCheck() {}

  /**
   * Checks the data set against the run.
   *
   * @param vocabSize tokens that the model embeds
   * @throws BadRequestException if there is too little data for one step, a token that the model
   *     does not have, or nothing to evaluate on where that decides something
   */
  public static void check(AnnealConfig config, int vocabSize, PreparedData data) {
    long sequences = data.train().train().sequences();
    Batches.requireOneStep(config, Long.toString(sequences), sequences);
    checkTokens(config, vocabSize, data.largestTokenId());
    BuildCheck.checkSchedule(config, Batches.steps(config, sequences));
    if (data.evalRows() == 0) {
      BuildCheck.requireUnjudged(config);
    }
  }

  /**
   * Checks that the model has every token.
   *
   * @param largestTokenId of the data
   * @throws BadRequestException if not
   */
  public static void checkTokens(AnnealConfig config, int vocabSize, int largestTokenId) {
    if (largestTokenId >= vocabSize) {
      throw new BadRequestException(
          "The data set holds the token id %s, but the model %s embeds only %s tokens: prepare it with the tokenizer of this model."
              .formatted(largestTokenId, config.model().path(), vocabSize));
    }
  }
}
