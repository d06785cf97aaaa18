package dev.anneal.training.trainer;

import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.GenerationListener;
import dev.anneal.training.generate.GenerationSpec;
import dev.anneal.training.generate.Generator;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.generate.Sampling;
import dev.anneal.training.generate.StopStrings;
import dev.anneal.training.generate.StopTokens;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.LlamaConfig;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** Measures the model on held-out rows and shows what it generates. */
final class Evaluator {
  private final TrainingSpec spec;
  private final SequenceSource data;
  private final List<int[]> prompts;
  private final Llama llama;
  private final Generator generator;
  private final GenerationSpec generation;
  private final Ranks ranks;
  private final TrainingListener listener;

  Evaluator(
      TrainingSpec spec,
      TrainingRun.Inputs inputs,
      LlamaConfig config,
      Llama llama,
      Ranks ranks,
      TrainingListener listener)
      throws IOException {
    this.spec = spec;
    this.data = inputs.eval();
    this.prompts = inputs.samplePrompts();
    this.llama = llama;
    this.generator = new Generator(llama, ranks.world(), ranks::check);
    this.generation =
        new GenerationSpec(
            spec.evaluation().sampleTokens(), Sampling.GREEDY, StopTokens.of(inputs.model(), config));
    this.ranks = ranks;
    this.listener = listener;
  }

  /**
   * Tells the listener of the held-out loss and the samples after {@code step} steps.
   *
   * @return the loss, the same on every rank; NaN where no rows are held out
   */
  double evaluate(long step) {
    try {
      double loss = Double.NaN;
      if (data != null && data.size() > 0) {
        loss = loss(step);
        listener.onEvaluation(step, loss);
      }
      samples(step);
      return loss;
    } catch (NotFiniteException e) {
      throw e;
    } catch (RuntimeException | IOException e) {
      throw new TrainingException(
          "rank %s, evaluation after step %s, %s"
              .formatted(ranks.rank(), step, NativeErrors.firstLine(e)),
          e);
    }
  }

  /** As many prompts at a time as training takes sequences, so that there is memory for them. */
  private void samples(long step) {
    int most = spec.batches().microBatchSize();
    for (int first = 0; first < prompts.size(); first += most) {
      List<Prompt> together = new ArrayList<>();
      for (int i = first; i < Math.min(first + most, prompts.size()); i++) {
        together.add(new Prompt(i, prompts.get(i)));
      }
      for (Completion completion :
          generator.generate(together, generation, StopStrings.NONE, GenerationListener.NONE)) {
        Prompt prompt = completion.prompt();
        listener.onSample(step, (int) prompt.index(), prompt.ids(), completion.tokens());
      }
    }
  }

  /** Cross-entropy over all target tokens of the held-out rows, divided by their number. */
  private double loss(long step) throws IOException {
    int worldSize = ranks.world().worldSize();
    long batches =
        (data.size() + spec.batches().microBatchSize() - 1) / spec.batches().microBatchSize();
    int rounds = Math.toIntExact((batches + worldSize - 1) / worldSize);
    double[] lossSums = new double[rounds];
    double[] targetTokens = new double[rounds];
    // as many forwards on every rank: a gathered layer needs them all
    for (int round = 0; round < rounds; round++) {
      long mine = (long) round * worldSize + ranks.rank();
      boolean idle = mine >= batches;
      try (TensorScope scope = new TensorScope()) {
        TokenBatch batch = TokenBatch.of(idle ? List.of(data.read(0)) : rows(mine));
        double loss = llama.loss(batch);
        ranks.check();
        lossSums[round] = idle ? 0 : loss;
        targetTokens[round] = idle ? 0 : batch.targetTokens();
      }
    }
    double loss = sum(lossSums) / sum(targetTokens);
    if (!Double.isFinite(loss)) {
      throw new NotFiniteException(
          "rank %s, evaluation after step %s, the held-out loss is %s: lower optimizer.learning_rate or check the data."
              .formatted(ranks.rank(), step, loss),
          step,
          List.of());
    }
    return loss;
  }

  /**
   * Over all batches in their order, whatever rank has computed which, so that the last digit does
   * not depend on how many ranks there are.
   *
   * @param mine a number for each of this rank's batches
   */
  private double sum(double[] mine) {
    try (TensorScope scope = new TensorScope()) {
      Tensor numbers = Tensors.to(ranks.device(), Tensors.of(mine));
      double[] all = Tensors.doubles(ranks.world().allGather(numbers).cpu());
      // a lost peer ends the wait with numbers that mean nothing
      ranks.world().check();
      double sum = 0;
      for (int round = 0; round < mine.length; round++) {
        for (int rank = 0; rank < ranks.world().worldSize(); rank++) {
          sum += all[rank * mine.length + round];
        }
      }
      return sum;
    }
  }

  private List<TokenSequence> rows(long batch) throws IOException {
    List<TokenSequence> sequences = new ArrayList<>();
    long first = batch * spec.batches().microBatchSize();
    long end = Math.min(first + spec.batches().microBatchSize(), data.size());
    for (long index = first; index < end; index++) {
      sequences.add(data.read(index));
    }
    return sequences;
  }
}
