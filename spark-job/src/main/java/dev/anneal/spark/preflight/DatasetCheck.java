package dev.anneal.spark.preflight;

import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.train.Batches;

/** Whether a prepared data set can train the model. */
public final class DatasetCheck {
  private DatasetCheck() {}

  /**
   * Checks the data set against the run.
   *
   * @param vocabSize tokens that the model embeds
   * @throws BadRequestException if there is too little data for one step, or a token that the model
   *     does not have
   */
  public static void check(AnnealConfig config, int vocabSize, DatasetManifest dataset) {
    long sequences = dataset.train().sequences();
    Batches.requireOneStep(config, Long.toString(sequences), sequences);
    checkTokens(config, vocabSize, dataset);
  }

  /**
   * Checks that the model has every token.
   *
   * @throws BadRequestException if not
   */
  public static void checkTokens(AnnealConfig config, int vocabSize, DatasetManifest dataset) {
    if (dataset.largestTokenId() >= vocabSize) {
      throw new BadRequestException(
          "The data set holds the token id %s, but the model %s embeds only %s tokens: prepare it with the tokenizer of this model."
              .formatted(dataset.largestTokenId(), config.model().path(), vocabSize));
    }
  }
}
