package dev.anneal.training.checkpoint;

/**
 * Which checkpoints a run takes, and where it goes on.
 *
 * @param everySteps optimizer steps between two; 0: none
 * @param sink {@code null} where none are taken
 * @param resume {@code null}: begin at the first step
 */
public record CheckpointPlan(long everySteps, CheckpointSink sink, ResumePoint resume) {
  /** From the first step to the last without a checkpoint. */
  public static final CheckpointPlan NONE = new CheckpointPlan(0, null, null);
}
