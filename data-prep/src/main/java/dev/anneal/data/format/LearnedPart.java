package dev.anneal.data.format;

/** Which tokens of a row are learned. */
public enum LearnedPart {
  /** The assistant's turns with their end-of-turn tokens; the text of a plain row. */
  ANSWERS,
  /** Every token but the first. */
  WHOLE_ROW
}
