package dev.anneal.training.trainer;

import dev.anneal.training.model.BatchShape;

/**
 * What a micro-batch holds on average, which decides how fast a run is, as the largest one decides
 * what it takes.
 *
 * @param sequences of it
 * @param length tokens of a sequence
 * @param attended tokens of the row that a token is in
 * @param targets tokens that are learned
 */
record AverageBatch(long sequences, double length, double attended, double targets) {
  /** By what is known of the rows; what is not counts as in the largest. */
  static AverageBatch of(BatchShape largest, RowStatistics rows) {
    double longest = largest.length();
    double known = rows.tokensPerSequence();
    double length = known == 0 ? longest : Math.min(longest, known);
    double share = rows.learnedShare();
    double targets = largest.rows() * (share == 0 ? length - 1 : length * share);
    double attended = rows.attended(longest).orElse(longest);
    return new AverageBatch(largest.rows(), length, attended, targets);
  }

  double tokens() {
    return sequences * length;
  }

  /** The same tokens, as what is moved for them counts. */
  BatchShape shape() {
    return new BatchShape(sequences, (long) Math.ceil(length));
  }
}
