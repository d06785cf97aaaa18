package dev.anneal.data.prep;

/** What becomes of a row with more tokens than a sequence holds. */
public enum LongRows {
  /** The tokens behind {@code max_length} are cut off. */
  TRUNCATE,
  /** The row is left out and goes to the quarantine. */
  DROP,
  /** The row becomes several rows; a piece in which nothing is learned is left out. */
  SPLIT
}
