package dev.anneal.training.trainer;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.tensor.TensorScope;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Measures the model on held-out rows and shows what it generates. */
final class Evaluator {
  private final TrainingSpec spec;
  private final SequenceSource data;
  private final List<int[]> prompts;
  private final Llama llama;
  private final GreedyGenerator generator;
  private final Collectives collectives;
  private final TrainingListener listener;

  Evaluator(
      TrainingSpec spec,
      TrainingRun.Inputs inputs,
      Llama llama,
      Collectives collectives,
      TrainingListener listener)
      throws IOException {
    this.spec = spec;
    this.data = inputs.eval();
    this.prompts = inputs.samplePrompts();
    this.llama = llama;
    this.generator = new GreedyGenerator(llama, inputs.model().config().eosTokenIds());
    this.collectives = collectives;
    this.listener = listener;
  }

  /** Tells the listener of the held-out loss and the samples after {@code step} steps. */
  void evaluate(long step) {
    try {
      if (data != null && data.size() > 0) {
        listener.onEvaluation(step, loss());
      }
      // sharded weights need every rank for every forward, so all generate the same
      for (int i = 0; i < prompts.size(); i++) {
        listener.onSample(
            step, i, prompts.get(i), generator.generate(prompts.get(i), spec.sampleTokens()));
      }
    } catch (RuntimeException | IOException e) {
      throw new TrainingException(
          "rank %d, evaluation after step %d, %s"
              .formatted(collectives.rank(), step, NativeErrors.firstLine(e)),
          e);
    }
  }

  /** Cross-entropy over all target tokens of the held-out rows, divided by their number. */
  private double loss() throws IOException {
    StepTotals mine = new StepTotals(0, 0, 0, 0);
    long batches = (data.size() + spec.microBatchSize() - 1) / spec.microBatchSize();
    // as many forwards on every rank: a gathered layer needs them all
    for (long first = 0; first < batches; first += collectives.worldSize()) {
      long mineIndex = first + collectives.rank();
      mine = mine.plus(mineIndex < batches ? batch(mineIndex) : idle());
    }
    StepTotals all = mine.gather(collectives);
    double loss = all.lossSum() / all.targetTokens();
    if (!Double.isFinite(loss)) {
      throw new TrainingException(
          "the held-out loss is %s: lower optimizer.learning_rate or check the data."
              .formatted(loss));
    }
    return loss;
  }

  private StepTotals batch(long batch) throws IOException {
    List<TokenSequence> sequences = new ArrayList<>();
    long first = batch * spec.microBatchSize();
    long end = Math.min(first + spec.microBatchSize(), data.size());
    for (long index = first; index < end; index++) {
      sequences.add(data.read(index));
    }
    return totals(sequences);
  }

  private StepTotals idle() throws IOException {
    totals(List.of(data.read(0)));
    return new StepTotals(0, 0, 0, 0);
  }

  private StepTotals totals(List<TokenSequence> sequences) {
    try (TensorScope scope = new TensorScope()) {
      TokenBatch batch = TokenBatch.of(sequences);
      return new StepTotals(llama.loss(batch), batch.targetTokens(), batch.tokens(), 0);
    }
  }
}
