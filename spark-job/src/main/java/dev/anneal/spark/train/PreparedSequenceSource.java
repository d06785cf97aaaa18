package dev.anneal.spark.train;

import dev.anneal.data.arrow.PreparedDataset;
import dev.anneal.data.arrow.PreparedSequence;
import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.data.TokenSequence;

/** A prepared data set as the training core reads it. */
record PreparedSequenceSource(PreparedDataset dataset) implements SequenceSource {

  @Override
  public long size() {
    return dataset.size();
  }

  @Override
  public TokenSequence read(long index) {
    return of(dataset.read(index));
  }

  static TokenSequence of(PreparedSequence sequence) {
    return new TokenSequence(sequence.inputIds(), sequence.rowLengths(), sequence.targetSpans());
  }

  @Override
  public void expect(long... indices) {
    dataset.expect(indices);
  }

  @Override
  public String describe(long index) {
    return "sequence %s (%s)".formatted(index, dataset.placeOf(index));
  }

  @Override
  public void close() {
    dataset.close();
  }
}
