package dev.anneal.training.trainer;

import dev.anneal.training.collective.Collectives;
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
import java.util.List;

/** The loop over optimizer steps of one rank. */
final class Trainer {
  private final TrainingSpec spec;
  private final SequenceSource data;
  private final Llama llama;
  private final Parameters parameters;
  private final AdamW optimizer;
  private final Collectives collectives;
  private final BatchOrder order;

  Trainer(
      TrainingSpec spec,
      SequenceSource data,
      Llama llama,
      Parameters parameters,
      AdamW optimizer,
      Collectives collectives) {
    this.spec = spec;
    this.data = data;
    this.llama = llama;
    this.parameters = parameters;
    this.optimizer = optimizer;
    this.collectives = collectives;
    this.order =
        new BatchOrder(
            data.size(),
            spec.microBatchSize(),
            spec.gradientAccumulation() * collectives.worldSize(),
            spec.shuffle(),
            spec.seed());
  }

  /** Runs all steps, telling {@code listener} of each. */
  void train(TrainingListener listener) {
    for (long step = 0; step < spec.totalSteps(); step++) {
      if (listener.cancelled()) {
        throw new TrainingCancelled(step);
      }
      try (TensorScope scope = new TensorScope()) {
        listener.onStep(step(step));
      } catch (RuntimeException | IOException e) {
        throw new TrainingException(
            "rank %d, step %d, %s"
                .formatted(collectives.rank(), step + 1, NativeErrors.firstLine(e)),
            e);
      }
    }
  }

  /**
   * @param step counted from 0
   */
  private StepMetrics step(long step) throws IOException {
    long start = System.nanoTime();
    parameters.gradient().zero_();
    StepTotals mine = new StepTotals(0, 0, 0, ProcessMemory.peakBytes());
    for (int a = 0; a < spec.gradientAccumulation(); a++) {
      mine = mine.plus(microBatch(step, a * collectives.worldSize() + collectives.rank()));
    }
    StepTotals all = mine.gather(collectives);
    double loss = all.lossSum() / all.targetTokens();
    requireFinite("loss", loss);
    collectives.allReduceSum(parameters.gradient());
    parameters.gradient().div_(Tensors.scalar((double) all.targetTokens()));
    double gradNorm = GradientClipping.clip(parameters.gradient(), spec.maxGradNorm());
    // before the step, so that no broken number reaches the parameters
    requireFinite("gradient norm", gradNorm);
    double learningRate = spec.optimizer().learningRate() * spec.schedule().factor(step);
    optimizer.step(learningRate);
    double seconds = (System.nanoTime() - start) / 1e9;
    return new StepMetrics(
        step + 1,
        loss,
        gradNorm,
        learningRate,
        all.targetTokens(),
        all.tokens(),
        all.tokens() / seconds,
        all.peakMemoryBytes(),
        order.epochs(step + 1));
  }

  private static void requireFinite(String name, double value) {
    if (!Double.isFinite(value)) {
      throw new TrainingException(
          "the %s is %s: lower optimizer.learning_rate or check the data.".formatted(name, value));
    }
  }

  private StepTotals microBatch(long step, int microBatch) throws IOException {
    List<TokenSequence> sequences = new ArrayList<>();
    for (long index : order.microBatch(step, microBatch)) {
      sequences.add(data.read(index));
    }
    try (TensorScope scope = new TensorScope()) {
      TokenBatch batch = TokenBatch.of(sequences);
      double lossSum = llama.forwardBackward(batch, dropout(step, microBatch));
      return new StepTotals(lossSum, batch.targetTokens(), batch.tokens(), 0);
    }
  }

  private Dropout dropout(long step, int microBatch) {
    return switch (spec.mode()) {
      case LORA -> new Dropout(spec.lora().dropout(), Seeds.mix(spec.seed(), step, microBatch));
      case FULL -> Dropout.NONE;
    };
  }
}
