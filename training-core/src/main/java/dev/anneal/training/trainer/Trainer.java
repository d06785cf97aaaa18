package dev.anneal.training.trainer;

import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.model.Dropout;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.optim.AdamW;
import dev.anneal.training.optim.GradientClipping;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.tensor.Seeds;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The loop over optimizer steps of one rank. */
final class Trainer {
  private final TrainingSpec spec;
  private final SequenceSource data;
  private final Llama llama;
  private final Parameters parameters;
  private final AdamW optimizer;
  private final Ranks ranks;
  private final BatchOrder order;

  Trainer(
      TrainingSpec spec,
      SequenceSource data,
      Llama llama,
      Parameters parameters,
      AdamW optimizer,
      Ranks ranks) {
    this.spec = spec;
    this.data = data;
    this.llama = llama;
    this.parameters = parameters;
    this.optimizer = optimizer;
    this.ranks = ranks;
    this.order =
        new BatchOrder(
            data.size(),
            spec.microBatchSize(),
            spec.gradientAccumulation() * ranks.world().worldSize(),
            spec.shuffle(),
            spec.seed());
  }

  /** Runs all steps, telling {@code listener} of each. */
  void train(TrainingListener listener) {
    long step = 0;
    try {
      List<List<TokenSequence>> batches = read(step);
      long start = System.nanoTime();
      for (; step < spec.totalSteps(); step++) {
        if (listener.cancelled()) {
          throw new TrainingCancelled(step);
        }
        Step done = step(step, batches);
        long end = System.nanoTime();
        listener.onStep(metrics(step, done, (end - start) / 1e9));
        start = end;
        batches = done.next();
      }
    } catch (RuntimeException | IOException e) {
      if (e instanceof TrainingCancelled cancelled) {
        throw cancelled;
      }
      throw new TrainingException(
          "rank %d, step %d, %s".formatted(ranks.rank(), step + 1, NativeErrors.firstLine(e)), e);
    }
  }

  /**
   * The outcome of a step.
   *
   * @param next the micro-batches of the step after it
   */
  private record Step(
      StepTotals totals,
      double loss,
      double gradNorm,
      double learningRate,
      List<List<TokenSequence>> next) {}

  /**
   * One optimizer step. Nothing in it waits for the device before the totals are gathered; the
   * update is enqueued after that, so that the device has work while the next step begins.
   *
   * @param step counted from 0
   * @param batches this rank's micro-batches of the step
   */
  private Step step(long step, List<List<TokenSequence>> batches) throws IOException {
    try (TensorScope scope = new TensorScope()) {
      parameters.zeroGradient();
      Tensor lossSum = Tensors.zeros(ranks.device(), ScalarType.Double, 1);
      long targetTokens = 0;
      long tokens = 0;
      for (int a = 0; a < batches.size(); a++) {
        boolean last = a == batches.size() - 1;
        try (TensorScope inner = new TensorScope()) {
          TokenBatch batch = TokenBatch.of(batches.get(a));
          Dropout dropout = dropout(step, microBatch(a));
          lossSum.add_(llama.forwardBackward(batch, dropout, last ? reduction() : Llama.UNNOTICED));
          targetTokens += batch.targetTokens();
          tokens += batch.tokens();
        }
      }
      if (spec.mode() == TrainingSpec.Mode.FULL) {
        parameters.reduceAll();
      }
      parameters.awaitReductions();
      Tensor squares = parameters.ownGradient().norm().to(ScalarType.Double).square().view(1);
      Tensor measured = Tensors.cat(lossSum, squares);
      // read while the device works
      List<List<TokenSequence>> next = step + 1 < spec.totalSteps() ? read(step + 1) : List.of();
      StepTotals all =
          StepTotals.gather(
              ranks.world(),
              measured,
              targetTokens,
              tokens,
              DeviceMemory.peakBytes(ranks.device()));
      double loss = all.lossSum() / all.targetTokens();
      requireFinite("loss", loss);
      double gradNorm = Math.sqrt(all.gradientSquares()) / all.targetTokens();
      // before the update, so that no broken number reaches the parameters
      requireFinite("gradient norm", gradNorm);
      double learningRate = spec.optimizer().learningRate() * spec.schedule().factor(step);
      optimizer.step(
          learningRate, GradientClipping.factor(gradNorm, spec.maxGradNorm()) / all.targetTokens());
      return new Step(all, loss, gradNorm, learningRate, next);
    }
  }

  /** Adapters reduce layer by layer, beside the backward of the layers below. */
  private IntConsumer reduction() {
    return switch (spec.mode()) {
      case LORA -> parameters::reduce;
      case FULL -> Llama.UNNOTICED;
    };
  }

  private StepMetrics metrics(long step, Step done, double seconds) {
    StepTotals all = done.totals();
    return new StepMetrics(
        step + 1,
        done.loss(),
        done.gradNorm(),
        done.learningRate(),
        all.targetTokens(),
        all.tokens(),
        all.tokens() / seconds,
        all.peakMemoryBytes(),
        order.epochs(step + 1),
        false);
  }

  private static void requireFinite(String name, double value) {
    if (!Double.isFinite(value)) {
      throw new TrainingException(
          "the %s is %s: lower optimizer.learning_rate or check the data.".formatted(name, value));
    }
  }

  /** This rank's micro-batches of step {@code step}. */
  private List<List<TokenSequence>> read(long step) throws IOException {
    List<long[]> indices = new ArrayList<>();
    for (int a = 0; a < spec.gradientAccumulation(); a++) {
      indices.add(order.microBatch(step, microBatch(a)));
    }
    data.expect(indices.stream().flatMapToLong(Arrays::stream).toArray());
    List<List<TokenSequence>> batches = new ArrayList<>();
    for (long[] microBatch : indices) {
      List<TokenSequence> sequences = new ArrayList<>();
      for (long index : microBatch) {
        sequences.add(data.read(index));
      }
      batches.add(sequences);
    }
    return batches;
  }

  /** The number in the global batch of this rank's micro-batch in accumulation step {@code a}. */
  private int microBatch(int a) {
    return a * ranks.world().worldSize() + ranks.rank();
  }

  private Dropout dropout(long step, int microBatch) {
    return switch (spec.mode()) {
      case LORA -> new Dropout(spec.lora().dropout(), Seeds.mix(spec.seed(), step, microBatch));
      case FULL -> Dropout.NONE;
    };
  }
}
