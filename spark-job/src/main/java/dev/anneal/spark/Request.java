package dev.anneal.spark;

import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.progress.ProgressDisplay.Medium;

/**
 * What the user asked for.
 *
 * @param existing what becomes of a finished run in the output folder
 * @param detail how much a failure tells
 * @param shownRows how many prepared rows a preparation prints
 * @param medium where progress is shown
 */
public record Request(
    Command command,
    AnnealConfig config,
    Existing existing,
    Detail detail,
    int shownRows,
    Medium medium) {

  /** A request of a program, which shows no prepared rows and writes no stack traces. */
  public static Request of(Command command, AnnealConfig config, Existing existing) {
    return new Request(command, config, existing, Detail.SENTENCE, 0, Medium.FILE);
  }

  /** The same with another place of the model. */
  public Request withModelPath(String path) {
    return new Request(command, config.withModelPath(path), existing, detail, shownRows, medium);
  }

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
