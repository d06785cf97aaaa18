package dev.anneal.training.trainer;

import dev.anneal.training.checkpoint.TrainerState;
import dev.anneal.training.collective.CollectiveException;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.optim.AdamW;
import dev.anneal.training.optim.GradientClipping;
import dev.anneal.training.optim.GradientNorm;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.io.IOException;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The loop over optimizer steps of one rank. */
final class Trainer {
  private final TrainingSpec spec;
  private final GlobalBatches batches;
  private final Llama llama;
  private final Parameters parameters;
  private final AdamW optimizer;
  private final RunCheckpoints checkpoints;
  private final Evaluations evaluations;
  private final Ranks ranks;

  Trainer(
      TrainingSpec spec,
      GlobalBatches batches,
      Llama llama,
      Parameters parameters,
      AdamW optimizer,
      RunCheckpoints checkpoints,
      Evaluations evaluations,
      Ranks ranks) {
    this.spec = spec;
    this.batches = batches;
    this.llama = llama;
    this.parameters = parameters;
    this.optimizer = optimizer;
    this.checkpoints = checkpoints;
    this.evaluations = evaluations;
    this.ranks = ranks;
  }

  /**
   * Runs all steps after {@code begin}, or until evaluations end the run, telling {@code listener}
   * of each.
   *
   * @return the steps done
   */
  long train(TrainerState begin, TrainingListener listener) {
    long step = begin.step();
    try {
      if (evaluations.isDue(step)) {
        // left out by whoever took the checkpoint
        evaluate(begin, Set.of());
      }
      NotFinite notFinite = new NotFinite(spec, batches, ranks, begin.skippedInARow());
      List<List<TokenSequence>> batch = batches.read(step);
      long start = System.nanoTime();
      for (; step < spec.batches().totalSteps() && !evaluations.areOver(); step++) {
        if (listener.cancelled()) {
          throw new TrainingCancelled(step);
        }
        Step done = step(step, batch, notFinite, listener);
        long end = System.nanoTime();
        listener.onStep(metrics(step, done, (end - start) / 1e9));
        start = end;
        batch = done.next();
        Set<StepTotals.Sign> signs = done.totals().signs();
        requireBest(signs);
        TrainerState state =
            begin
                .after(step + 1, optimizer.steps(), notFinite.skippedInARow())
                .with(evaluations.state());
        if (signs.contains(StepTotals.Sign.STOP)) {
          // whoever must leave has no time to be measured
          checkpoints.after(state, RunCheckpoints.Cause.END, signs);
          checkpoints.finish();
          throw new TrainingStopped(step + 1);
        }
        if (evaluations.isDue(step + 1)) {
          evaluate(state, signs);
          start = System.nanoTime();
        } else {
          checkpoints.after(state, RunCheckpoints.Cause.SCHEDULE, signs);
        }
      }
      return step;
    } catch (TrainingCancelled | TrainingStopped e) {
      throw e;
    } catch (NotFiniteException e) {
      awaitCheckpointBefore(e);
      throw e;
    } catch (TrainingException e) {
      // says where
      throw e;
    } catch (RuntimeException | IOException e) {
      throw new TrainingException(
          "rank %s, step %s, %s".formatted(ranks.rank(), step + 1, NativeErrors.firstLine(e)), e);
    }
  }

  /** Evaluates where {@code state} stands, and takes the checkpoint that is due there. */
  private void evaluate(TrainerState state, Set<StepTotals.Sign> signs) {
    RunCheckpoints.Cause cause;
    try {
      cause = evaluations.evaluate(state.step());
    } catch (TrainingStopped e) {
      // whoever goes on from this one begins with the evaluation
      checkpoints.after(state, RunCheckpoints.Cause.END, signs);
      checkpoints.finish();
      throw e;
    }
    checkpoints.after(state.with(evaluations.state()), cause, signs);
  }

  /** Without its best checkpoint a run would publish another adapter than it says. */
  private void requireBest(Set<StepTotals.Sign> signs) {
    if (signs.contains(StepTotals.Sign.BEST_LOST)) {
      throw new TrainingException(
          "rank %s, the checkpoint after step %s, which holds the best adapter so far, could not be written"
              .formatted(ranks.rank(), evaluations.state().bestStep()));
    }
  }

  /**
   * The last checkpoint is worth the wait, on all ranks: the first that leaves ends what the others
   * still write.
   */
  private void awaitCheckpointBefore(NotFiniteException end) {
    try {
      checkpoints.finish();
      ranks.world().barrier();
    } catch (CollectiveException lostPeer) {
      // it is not what ended the run
      end.addSuppressed(lostPeer);
    }
  }

  /**
   * The outcome of a step.
   *
   * @param next the micro-batches of the step after it
   */
  private record Step(
      StepTotals totals, double learningRate, boolean skipped, List<List<TokenSequence>> next) {}

  /**
   * One optimizer step. Nothing in it waits for the device before the totals are gathered; the
   * update is enqueued after that, so that the device has work while the next step begins.
   *
   * @param step counted from 0
   * @param batch this rank's micro-batches of the step
   */
  private Step step(
      long step, List<List<TokenSequence>> batch, NotFinite notFinite, TrainingListener listener)
      throws IOException {
    try (TensorScope scope = new TensorScope()) {
      parameters.zeroGradient();
      Tensor losses = Tensors.zeros(ranks.device(), ScalarType.Double, batch.size());
      Tensor lossSum = Tensors.zeros(ranks.device(), ScalarType.Double, 1);
      long targetTokens = 0;
      long tokens = 0;
      long terms = 0;
      for (int a = 0; a < batch.size(); a++) {
        try (TensorScope inner = new TensorScope()) {
          TokenBatch rows = TokenBatch.of(batch.get(a));
          Tensor loss =
              llama.forwardBackward(
                  rows,
                  batches.dropout(step, a),
                  batches.noise(step, a, batch.get(a)),
                  parameters::reduce);
          losses.narrow(0, a, 1).copy_(loss);
          lossSum.add_(loss);
          targetTokens += rows.targetTokens();
          tokens += rows.tokens();
          terms += spec.updates().objective().count(rows);
        }
      }
      parameters.awaitReductions();
      Tensor squares = GradientNorm.squares(parameters.ownGradient());
      Tensor measured = Tensors.cat(lossSum, squares);
      // read while the device works
      List<List<TokenSequence>> next = batches.read(step + 1);
      StepTotals all =
          StepTotals.gather(
              ranks.world(),
              measured,
              new StepTotals.Counted(
                  targetTokens,
                  tokens,
                  terms,
                  DeviceMemory.peakBytes(ranks.device()),
                  signs(listener)));
      // weights that came from a rank that is gone mean nothing either
      ranks.check();
      double learningRate =
          spec.updates().optimizer().learningRate() * spec.updates().schedule().factor(step);
      // before the update, so that no broken number reaches the parameters
      boolean skipped = notFinite.skips(step, all, losses);
      if (!skipped) {
        checkpoints.awaitCopied();
        optimizer.step(
            learningRate,
            GradientClipping.factor(all.gradNorm(), spec.updates().maxGradNorm()) / all.terms());
      }
      return new Step(all, learningRate, skipped, next);
    }
  }

  /** What the other ranks have to know of this one. */
  private Set<StepTotals.Sign> signs(TrainingListener listener) {
    Set<StepTotals.Sign> signs = EnumSet.noneOf(StepTotals.Sign.class);
    if (checkpoints.isBusy()) {
      signs.add(StepTotals.Sign.WRITING);
    }
    if (listener.stopRequested()) {
      signs.add(StepTotals.Sign.STOP);
    }
    if (checkpoints.hasLost(evaluations.kept())) {
      signs.add(StepTotals.Sign.BEST_LOST);
    }
    return signs;
  }

  private StepMetrics metrics(long step, Step done, double seconds) {
    StepTotals all = done.totals();
    return new StepMetrics(
        step + 1,
        all.loss(),
        all.gradNorm(),
        done.learningRate(),
        all.targetTokens(),
        all.tokens(),
        all.tokens() / seconds,
        all.peakMemoryBytes(),
        batches.epochs(step + 1),
        done.skipped());
  }
}
