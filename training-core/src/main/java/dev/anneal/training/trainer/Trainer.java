package dev.anneal.training.trainer;

import static dev.anneal.training.timing.Timings.NO_LAYER;

import dev.anneal.training.checkpoint.TrainerState;
import dev.anneal.training.collective.CollectiveException;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.optim.AdamW;
import dev.anneal.training.optim.GradientNorm;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.timing.Lane;
import dev.anneal.training.timing.StepTimes;
import dev.anneal.training.timing.StepTimings;
import dev.anneal.training.timing.Timings;
import java.io.IOException;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The loop over optimizer steps of one rank. */
final class Trainer {
  /** Steps before those of a profile, in which memory and kernels find their place. */
  private static final int WARM_UP = 3;

  private final TrainingSpec spec;
  private final GlobalBatches batches;
  private final Llama llama;
  private final Parameters parameters;
  private final AdamW optimizer;
  private final RunCheckpoints checkpoints;
  private final Evaluations evaluations;
  private final Ranks ranks;
  private final StepTimings timings;

  Trainer(
      TrainingSpec spec,
      GlobalBatches batches,
      Llama llama,
      Parameters parameters,
      AdamW optimizer,
      RunCheckpoints checkpoints,
      Evaluations evaluations,
      Ranks ranks,
      StepTimings timings) {
    this.spec = spec;
    this.batches = batches;
    this.llama = llama;
    this.parameters = parameters;
    this.optimizer = optimizer;
    this.checkpoints = checkpoints;
    this.evaluations = evaluations;
    this.ranks = ranks;
    this.timings = timings;
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
      askForProfile(step, listener.profiledSteps());
      NotFinite notFinite = new NotFinite(spec, batches, ranks, begin.skippedInARow());
      UpcomingBatches upcoming =
          new UpcomingBatches(
              spec, batches, step, sequences -> llama.expect(TokenBatch.rowLengths(sequences)));
      List<Long> memoryTold = List.of();
      long start = System.nanoTime();
      for (; step < spec.batches().totalSteps() && !evaluations.areOver(); step++) {
        if (listener.cancelled()) {
          throw new TrainingCancelled(step);
        }
        timings.begin(step + 1);
        Step done = step(step, upcoming, notFinite, listener);
        long end = System.nanoTime();
        StepTimes times = timings.end((end - start) / 1e6, done.totals().dataWaitMillis());
        if (!memoryTold.equals(done.totals().peakMemoryBytes())) {
          memoryTold = done.totals().peakMemoryBytes();
          listener.onPeakMemory(memoryTold);
        }
        listener.onStep(metrics(step, done, (end - start) / 1e9, times));
        start = end;
        tell(StepTimings.More.COMES, listener);
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
      tell(StepTimings.More.NONE, listener);
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

  /** Of the steps behind the warm-up, or as late ones as there are. */
  private void askForProfile(long done, int asked) {
    long rest = spec.batches().totalSteps() - done;
    long count = Math.min(asked, rest);
    if (count > 0) {
      long first = done + 1 + Math.min(WARM_UP, rest - count);
      timings.record(ranks.rank(), first, first + count - 1);
    }
  }

  /** What the timings have to tell after a step. */
  private void tell(StepTimings.More more, TrainingListener listener) {
    timings.taken(more).ifPresent(listener::onProfile);
    timings
        .failure()
        .ifPresent(
            why -> {
              listener.onNotice(
                  "times of steps, and the profile, are left out from now on, since " + why);
              listener.onPhase(TrainingRun.TRAINING);
            });
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

  /** The outcome of a step. */
  private record Step(StepTotals totals, double learningRate, boolean skipped) {}

  /**
   * One optimizer step. Nothing in it waits for the device before the totals are gathered; the
   * update is enqueued after that, so that the device has work while the next step begins.
   *
   * @param step counted from 0
   * @param upcoming whose next step this is
   */
  private Step step(
      long step, UpcomingBatches upcoming, NotFinite notFinite, TrainingListener listener)
      throws IOException {
    List<List<TokenSequence>> batch = take(upcoming);
    try (TensorScope scope = new TensorScope()) {
      Tensor losses = Tensors.zeros(ranks.device(), ScalarType.Double, batch.size());
      Tensor lossSum = Tensors.zeros(ranks.device(), ScalarType.Double, 1);
      StepTotals.Work work = StepTotals.Work.NONE;
      Tensor measured;
      try (Timings.Span enqueue = timings.host(Lane.HOST, "forward and backward");
          Timings.Span device = timings.device(Lane.COMPUTE, "forward and backward", NO_LAYER)) {
        parameters.zeroGradient();
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
            long terms = spec.updates().objective().count(rows);
            work = work.plus(new StepTotals.Work(rows.targetTokens(), rows.tokens(), terms));
          }
        }
        parameters.awaitReductions();
        Tensor squares = GradientNorm.squares(parameters.ownGradient());
        measured = Tensors.cat(lossSum, squares);
      }
      // while the device works
      readAhead(upcoming);
      StepTotals.Counted counted =
          new StepTotals.Counted(
              work, DeviceMemory.peakBytes(ranks), timings.dataWaitMillis(), signs(listener));
      StepTotals all = gather(measured, counted);
      // weights that came from a rank that is gone mean nothing either
      ranks.check();
      double learningRate =
          spec.updates().optimizer().learningRate() * spec.updates().schedule().factor(step);
      // before the update, so that no broken number reaches the parameters
      boolean skipped = notFinite.skips(step, all, losses);
      if (!skipped) {
        checkpoints.awaitCopied();
        update(learningRate, all);
      }
      return new Step(all, learningRate, skipped);
    }
  }

  private List<List<TokenSequence>> take(UpcomingBatches upcoming) throws IOException {
    if (upcoming.areRead()) {
      return upcoming.take();
    }
    try (Timings.Span span = timings.host(Lane.DATA, "data")) {
      return upcoming.take();
    }
  }

  private void readAhead(UpcomingBatches upcoming) {
    try (Timings.Span span = timings.host(Lane.DATA, "data")) {
      upcoming.readAhead();
    }
  }

  private StepTotals gather(Tensor measured, StepTotals.Counted counted) {
    try (Timings.Span span = timings.traced("waiting for the device")) {
      StepTotals all = StepTotals.gather(ranks.world(), measured, counted);
      timings.waited();
      return all;
    }
  }

  private void update(double learningRate, StepTotals all) {
    try (Timings.Span enqueue = timings.host(Lane.HOST, "update");
        Timings.Span work = timings.device(Lane.COMPUTE, "update", NO_LAYER)) {
      optimizer.step(
          learningRate,
          GradientNorm.clipFactor(all.gradNorm(), spec.updates().maxGradNorm())
              / all.work().terms());
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

  private StepMetrics metrics(long step, Step done, double seconds, StepTimes times) {
    StepTotals all = done.totals();
    return new StepMetrics(
        step + 1,
        all.loss(),
        all.gradNorm(),
        done.learningRate(),
        all.work().targetTokens(),
        all.work().tokens(),
        all.work().tokens() / seconds,
        all.largestPeakMemoryBytes(),
        batches.epochs(step + 1),
        done.skipped(),
        times);
  }
}
