package dev.anneal.spark;

import dev.anneal.spark.config.AnnealConfig;

/**
 * What the user asked for.
 *
 * @param existing what becomes of a finished run in the output folder
 */
public record Request(Command command, AnnealConfig config, Existing existing) {

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
}
