package dev.anneal.training.trainer;

import dev.anneal.training.checkpoint.CheckpointReader;
import dev.anneal.training.checkpoint.EvaluationState;
import dev.anneal.training.checkpoint.ResumePoint;
import dev.anneal.training.checkpoint.TrainerState;
import dev.anneal.training.optim.AdamW;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.io.IOException;
import java.util.EnumSet;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;

/** Brings a run that has ended back to the step whose adapter is its result. */
final class BestResult {
  private final TrainingRun.Inputs inputs;
  private final Evaluations evaluations;
  private final RunCheckpoints checkpoints;
  private final Ranks ranks;

  BestResult(
      TrainingRun.Inputs inputs, Evaluations evaluations, RunCheckpoints checkpoints, Ranks ranks) {
    this.inputs = inputs;
    this.evaluations = evaluations;
    this.checkpoints = checkpoints;
    this.ranks = ranks;
  }

  /**
   * Reads the parameters of that step out of its checkpoint, if it is not the last one; every rank
   * calls it when its own part of every checkpoint is written or has failed.
   *
   * @param run as it began
   * @param steps done
   */
  void restore(TrainerState run, long steps, Parameters parameters, AdamW optimizer)
      throws IOException {
    long best = evaluations.resultOf(steps);
    if (best == steps) {
      return;
    }
    requireWritten(best);
    TrainerState fresh = run.with(EvaluationState.NONE).after(0, 0, 0);
    CheckpointReader.restore(
        new ResumePoint(best, inputs.checkpoints().sink().stored(best)),
        fresh,
        parameters,
        optimizer,
        ranks.rank());
  }

  /** A part that is missing may leave a file behind that looks whole. */
  private void requireWritten(long best) {
    Set<StepTotals.Sign> signs = EnumSet.noneOf(StepTotals.Sign.class);
    if (checkpoints.hasLost(best)) {
      signs.add(StepTotals.Sign.BEST_LOST);
    }
    try (TensorScope scope = new TensorScope()) {
      Tensor nothing = Tensors.to(ranks.device(), Tensors.of(new double[] {0, 0}));
      StepTotals all =
          StepTotals.gather(
              ranks.world(), nothing, new StepTotals.Counted(StepTotals.Work.NONE, 0, 0, signs));
      if (all.signs().contains(StepTotals.Sign.BEST_LOST)) {
        throw new TrainingException(
            "rank %s, the checkpoint after step %s, which holds the best adapter, could not be written"
                .formatted(ranks.rank(), best));
      }
    }
  }
}
