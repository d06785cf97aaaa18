package dev.anneal.training.trainer;

import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.checkpoint.CheckpointSink;
import dev.anneal.training.checkpoint.CheckpointWriter;
import dev.anneal.training.checkpoint.RankRole;
import dev.anneal.training.checkpoint.TrainerState;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.PeftConfig;
import dev.anneal.training.model.TrainableModel;
import dev.anneal.training.optim.AdamW;
import java.util.Set;

/** When a run takes checkpoints, and what it waits for. */
final class RunCheckpoints implements AutoCloseable {
  private final TrainingSpec spec;
  private final long everySteps;
  private final TrainingListener listener;
  private final CheckpointSink sink;
  private final boolean tells;
  private final boolean keepsBest;

  /** Why a checkpoint is taken. */
  enum Cause {
    /** It may be due. */
    SCHEDULE,
    /** It holds the best adapter so far. */
    BEST,
    /** The run ends after it. */
    END
  }

  /** Steps done. */
  private long step;

  /** {@code null} where none are taken. */
  private final CheckpointWriter writer;

  /**
   * @param begin where the run begins
   * @param listener asked while something is waited for whether the run is cancelled
   */
  RunCheckpoints(
      TrainingSpec spec,
      TrainingRun.Inputs inputs,
      TrainableModel model,
      AdamW optimizer,
      Ranks ranks,
      TrainerState begin,
      TrainingListener listener) {
    this.spec = spec;
    this.listener = listener;
    this.step = begin.step();
    CheckpointPlan plan = inputs.checkpoints();
    everySteps = plan.everySteps();
    sink = plan.sink();
    tells = ranks.rank() == 0;
    keepsBest = spec.evaluation().keep() == TrainingSpec.Keep.BEST;
    PeftConfig adapter = ResultWriter.adapterConfig(model, inputs);
    writer =
        everySteps == 0
            ? null
            : new CheckpointWriter(
                sink,
                model.parameters(),
                optimizer,
                new RankRole(
                    ranks.device(),
                    ranks.rank(),
                    ranks.world().worldSize(),
                    adapter,
                    model instanceof LoraModel lora ? lora.first() : null));
  }

  /** Whether this rank's part of the last one is still being written. */
  boolean isBusy() {
    return writer != null && writer.isBusy();
  }

  /** Whether this rank's part of the checkpoint after {@code step} steps could not be written. */
  boolean hasLost(long step) {
    return writer != null && step > 0 && writer.hasLost(step);
  }

  /** To be called before the parameters change. */
  void awaitCopied() {
    if (writer != null) {
      writer.awaitCopied();
    }
  }

  /**
   * Takes one after {@code state.step()} steps if it is due. All ranks decide alike: while any is
   * still writing, the next is left out, but for one that holds the best adapter and the last of
   * the run.
   */
  void after(TrainerState state, Cause cause, Set<StepTotals.Sign> signs) {
    step = state.step();
    if (writer == null) {
      return;
    }
    boolean needed =
        cause != Cause.SCHEDULE
            || state.step() == spec.batches().totalSteps()
            || signs.contains(StepTotals.Sign.STOP);
    boolean due = state.step() % everySteps == 0;
    if (needed) {
      writer.await(this::requireWanted);
      take(state);
    } else if (due && !signs.contains(StepTotals.Sign.WRITING)) {
      take(state);
    } else if (due && tells) {
      sink.leftOut(state.step());
    }
  }

  private void take(TrainerState state) {
    writer.take(state, keepsBest ? state.evaluation().bestStep() : 0);
  }

  /** Returns when the last one is written or has failed. */
  void finish() {
    if (writer != null) {
      writer.await(this::requireWanted);
    }
  }

  private void requireWanted() {
    if (listener.cancelled()) {
      throw new TrainingCancelled(step);
    }
  }

  /** Abandons what is still being written. */
  @Override
  public void close() {
    if (writer != null) {
      writer.close();
    }
  }
}
