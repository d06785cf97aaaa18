package dev.anneal.data.token;

/** What becomes of {@code <|eot_id|>} and its like when ids turn back into text. */
public enum SpecialTokens {
  KEEP,
  SKIP
}
