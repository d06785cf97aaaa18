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
import java.util.Set;
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
            spec.sampleTokens(), Sampling.GREEDY, StopTokens.of(inputs.model(), config));
    this.ranks = ranks;
    this.listener = listener;
  }

  /** Tells the listener of the held-out loss and the samples after {@code step} steps. */
  void evaluate(long step) {
    try {
      if (data != null && data.size() > 0) {
        listener.onEvaluation(step, loss(step));
      }
      samples(step);
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
    double lossSum = 0;
    long targetTokens = 0;
    int worldSize = ranks.world().worldSize();
    long batches =
        (data.size() + spec.batches().microBatchSize() - 1) / spec.batches().microBatchSize();
    // as many forwards on every rank: a gathered layer needs them all
    for (long first = 0; first < batches; first += worldSize) {
      boolean idle = first + ranks.rank() >= batches;
      try (TensorScope scope = new TensorScope()) {
        TokenBatch batch = TokenBatch.of(idle ? List.of(data.read(0)) : rows(first + ranks.rank()));
        double loss = llama.loss(batch);
        ranks.check();
        lossSum += idle ? 0 : loss;
        targetTokens += idle ? 0 : batch.targetTokens();
      }
    }
    double loss = mean(lossSum, targetTokens);
    if (!Double.isFinite(loss)) {
      throw new NotFiniteException(
          "rank %s, evaluation after step %s, the held-out loss is %s: lower optimizer.learning_rate or check the data."
              .formatted(ranks.rank(), step, loss),
          step,
          List.of());
    }
    return loss;
  }

  /** Over all ranks. */
  private double mean(double lossSum, long targetTokens) {
    try (TensorScope scope = new TensorScope()) {
      Tensor measured = Tensors.to(ranks.device(), Tensors.of(new double[] {lossSum, 0}));
      StepTotals all =
          StepTotals.gather(
              ranks.world(), measured, new StepTotals.Counted(targetTokens, 0, 0, Set.of()));
      return all.loss();
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
