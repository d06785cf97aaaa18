package dev.anneal.spark;

import dev.anneal.spark.config.AnnealConfig;

/**
 * What the user asked for.
 *
 * @param existing what becomes of a finished run in the output folder
 * @param detail how much a failure tells
 * @param shownRows how many prepared rows a preparation prints
 */
public record Request(
    Command command, AnnealConfig config, Existing existing, Detail detail, int shownRows) {

  /** Which stages run. */
  public enum Command {
    RUN,
    PREP,
    TRAIN;

    public boolean prepares() {
      return this != TRAIN;
    }

    public boolean trains() {
      return this != PREP;
    }
  }

  /** What becomes of a finished run in the output folder. */
  public enum Existing {
    KEEP,
    REPLACE
  }

  /** How much a failure tells. */
  public enum Detail {
    SENTENCE,
    STACK_TRACES
  }
}
