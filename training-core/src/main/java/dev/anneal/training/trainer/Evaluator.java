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
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
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
            spec.evaluation().sampleTokens(),
            Sampling.GREEDY,
            StopTokens.of(inputs.model(), config));
    this.ranks = ranks;
    this.listener = listener;
  }

  /** Tells the listener of the held-out loss and the samples after {@code step} steps. */
  void evaluate(long step) {
    evaluate(step, () -> false);
  }

  /**
   * The same, unless the run is to leave.
   *
   * @param stops asked again and again; one rank is enough
   * @return the loss, the same on every rank; NaN where no rows are held out
   * @throws TrainingStopped on all ranks, if any is to leave; then nothing is told
   */
  double evaluate(long step, BooleanSupplier stops) {
    try {
      double loss = Double.NaN;
      if (data != null && data.size() > 0) {
        loss = loss(step, stops);
        listener.onEvaluation(step, loss);
      }
      samples(step);
      return loss;
    } catch (NotFiniteException | TrainingStopped e) {
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

  /**
   * Cross-entropy over all target tokens of the held-out rows, divided by their number. It is added
   * up over all batches in their order, whatever rank has computed which, so that the last digit
   * does not depend on how many ranks there are.
   */
  private double loss(long step, BooleanSupplier stops) throws IOException {
    double lossSum = 0;
    double targetTokens = 0;
    int worldSize = ranks.world().worldSize();
    long batches =
        (data.size() + spec.batches().microBatchSize() - 1) / spec.batches().microBatchSize();
    // as many forwards on every rank: a gathered layer needs them all
    for (long first = 0; first < batches; first += worldSize) {
      for (Measured batch : round(first + ranks.rank(), batches, stops)) {
        if (batch.stops()) {
          throw new TrainingStopped(step);
        }
        lossSum += batch.lossSum();
        targetTokens += batch.targetTokens();
      }
    }
    double loss = lossSum / targetTokens;
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
   * A batch.
   *
   * @param stops whether the rank that has computed it is to leave
   */
  private record Measured(double lossSum, double targetTokens, boolean stops) {}

  /**
   * The batches of all ranks, in the order of the ranks.
   *
   * @param mine the number of this rank's; of {@code batches} or more there is none to count
   */
  private List<Measured> round(long mine, long batches, BooleanSupplier stops) throws IOException {
    boolean idle = mine >= batches;
    try (TensorScope scope = new TensorScope()) {
      TokenBatch batch = TokenBatch.of(idle ? List.of(data.read(0)) : rows(mine));
      double loss = llama.loss(batch);
      ranks.check();
      double[] numbers = {
        idle ? 0 : loss, idle ? 0 : batch.targetTokens(), stops.getAsBoolean() ? 1 : 0
      };
      Tensor measured = Tensors.to(ranks.device(), Tensors.of(numbers));
      double[] all = Tensors.doubles(ranks.world().allGather(measured).cpu());
      // a lost peer ends the wait with numbers that mean nothing
      ranks.world().check();
      List<Measured> found = new ArrayList<>();
      for (int i = 0; i < all.length; i += numbers.length) {
        found.add(new Measured(all[i], all[i + 1], all[i + 2] > 0));
      }
      return found;
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
