package dev.anneal.training.trainer;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.GenerationListener;
import dev.anneal.training.generate.Generator;
import dev.anneal.training.generate.InvalidPromptException;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.generate.StopStrings;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.TensorScope;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;

/**
 * One rank's part of an evaluation: the loss of every row with and without an adapter, and what the
 * model says to some prompts. The frozen weights are there once, and both ways go through them.
 *
 * <p>Batch {@code k} holds the sequences from {@code k * batchSize} on, whoever computes it, so a
 * row's loss does not depend on how many ranks there are.
 */
public final class EvaluationRun {
  private final GenerationRun.Spec spec;
  private final Inputs inputs;
  private final Ranks ranks;
  private final EvaluationListener listener;

  /**
   * What a rank reads.
   *
   * @param adapter in PEFT's form, or {@code null}
   * @param data the sequences, the same on every rank
   * @param prompts to go on from, the same on every rank
   * @param share which batches are this rank's
   */
  public record Inputs(
      ModelSource model,
      ModelFolder adapter,
      SequenceSource data,
      List<Prompt> prompts,
      Share share) {}

  /**
   * The batches that are dealt to a rank: every {@code count}-th from {@code index} on.
   *
   * @param count ranks that share the work
   */
  public record Share(int index, int count) {
    private boolean has(long batch) {
      return batch % count == index;
    }
  }

  /**
   * What a rank has found out.
   *
   * @param losses of its share of the sequences
   * @param base continuations by the base model: of its share of the prompts where weights are
   *     whole, else of all
   * @param adapted the same with the adapter; none where there is none
   */
  public record Measured(
      List<SequenceLosses> losses, List<Completion> base, List<Completion> adapted) {}

  private EvaluationRun(
      GenerationRun.Spec spec, Inputs inputs, Ranks ranks, EvaluationListener listener) {
    this.spec = spec;
    this.inputs = inputs;
    this.ranks = ranks;
    this.listener = listener;
  }

  /**
   * Carries it out.
   *
   * @param spec its batch size is sequences of a pass, and prompts side by side
   * @throws TrainingException if a native call, a peer or a file fails; names the rank
   * @throws InvalidModelException if model or adapter are unusable, or a loss is not finite
   * @throws InvalidPromptException if a prompt is empty or longer than the model's context
   * @throws TrainingCancelled if {@code listener} asked to stop
   */
  public static Measured run(
      GenerationRun.Spec spec, Inputs inputs, Ranks ranks, EvaluationListener listener) {
    return Inference.run(
        ranks,
        "sequences at a time",
        kernels -> new EvaluationRun(spec, inputs, ranks, listener).measure(kernels));
  }

  private Measured measure(Kernels kernels) throws IOException {
    listener.onPhase(Progress.LOADING_WEIGHTS);
    try (LoraModel model =
        ModelLoader.loadFrozen(
            inputs.model(),
            inputs.adapter(),
            ModelLoader.placement(spec.weights(), spec.compute(), ranks),
            ranks,
            listener)) {
      boolean alone = inputs.adapter() == null;
      LoraModel baseModel = alone ? model : withoutAdapter(model);
      Llama base = GenerationRun.llama(spec, baseModel, ranks, kernels);
      Llama adapted = alone ? null : GenerationRun.llama(spec, model, ranks, kernels);
      List<SequenceLosses> losses = losses(base, adapted);
      if (!inputs.prompts().isEmpty()) {
        listener.onPhase(GenerationRun.GENERATING);
      }
      List<Completion> answers = answers(base);
      List<Completion> adaptedAnswers = alone ? List.of() : answers(adapted);
      if (spec.isSplit()) {
        // a rank that is done still has weights that others are going to read
        ranks.shard().barrier();
      }
      return new Measured(losses, answers, adaptedAnswers);
    }
  }

  /** The same frozen weights, which the other one closes. */
  private LoraModel withoutAdapter(LoraModel model) {
    // computed in the same way as with the adapter
    LoraLayout none = LoraLayout.none(model.config(), model.layout().spec().variant());
    Parameters parameters =
        new Parameters(
            LoraModel.shapes(model.config(), none),
            spec.compute(),
            ranks.device(),
            new SingleRank());
    return new LoraModel(
        model.config(), none, parameters, model.decoder(), model.vocabulary(), model.norm());
  }

  private List<SequenceLosses> losses(Llama base, Llama adapted) throws IOException {
    listener.onPhase("evaluating");
    List<SequenceLosses> losses = new ArrayList<>();
    SequenceSource data = inputs.data();
    long batches = (data.size() + spec.batchSize() - 1) / spec.batchSize();
    long total = ownSequences(batches);
    Share share = inputs.share();
    for (long first = 0; first < batches; first += share.count()) {
      if (listener.cancelled()) {
        throw new TrainingCancelled(0);
      }
      long batch = first + share.index();
      boolean idle = batch >= batches;
      // as many passes on every rank: a gathered layer needs them all
      if (!idle || spec.isSplit()) {
        List<SequenceLosses> found = losses(base, adapted, idle ? 0 : batch);
        ranks.check();
        if (!idle) {
          losses.addAll(found);
          found.forEach(this::requireFinite);
          listener.onSequences(losses.size(), total);
        }
      }
    }
    return losses;
  }

  private long ownSequences(long batches) {
    long size = inputs.data().size();
    return LongStream.range(0, batches)
        .filter(inputs.share()::has)
        .map(batch -> Math.min(size, (batch + 1) * spec.batchSize()) - batch * spec.batchSize())
        .sum();
  }

  private List<SequenceLosses> losses(Llama base, Llama adapted, long batch) throws IOException {
    long first = batch * spec.batchSize();
    long end = Math.min(first + spec.batchSize(), inputs.data().size());
    List<TokenSequence> sequences = new ArrayList<>();
    for (long index = first; index < end; index++) {
      sequences.add(inputs.data().read(index));
    }
    try (TensorScope scope = new TensorScope()) {
      TokenBatch tokens = TokenBatch.of(sequences);
      double[] ofBase = base.losses(tokens);
      double[] ofAdapted = adapted == null ? null : adapted.losses(tokens);
      List<SequenceLosses> losses = new ArrayList<>();
      int at = 0;
      for (int i = 0; i < sequences.size(); i++) {
        int[] targets = targets(sequences.get(i));
        losses.add(
            new SequenceLosses(
                first + i,
                targets,
                sums(ofBase, at, targets),
                ofAdapted == null ? null : sums(ofAdapted, at, targets)));
        for (int count : targets) {
          at += count;
        }
      }
      return losses;
    }
  }

  /** Learned tokens of every row; its first one is none, since nothing in the row predicts it. */
  private static int[] targets(TokenSequence sequence) {
    int[] counts = new int[sequence.rowLengths().length];
    int[] spans = sequence.targetSpans();
    int start = 0;
    for (int row = 0; row < counts.length; row++) {
      int end = start + sequence.rowLengths()[row];
      for (int span = 0; span < spans.length; span += 2) {
        counts[row] +=
            Math.max(0, Math.min(end, spans[span + 1]) - Math.max(start + 1, spans[span]));
      }
      start = end;
    }
    return counts;
  }

  private static double[] sums(double[] losses, int first, int[] counts) {
    double[] sums = new double[counts.length];
    int at = first;
    for (int row = 0; row < counts.length; row++) {
      for (int i = 0; i < counts[row]; i++) {
        sums[row] += losses[at++];
      }
    }
    return sums;
  }

  private void requireFinite(SequenceLosses losses) {
    requireFinite(losses.sequence(), losses.base(), "the model");
    if (losses.adapted() != null) {
      requireFinite(losses.sequence(), losses.adapted(), "the adapter");
    }
  }

  private void requireFinite(long sequence, double[] sums, String whose) {
    for (double sum : sums) {
      if (!Double.isFinite(sum)) {
        throw new InvalidModelException(
            "The loss of %s is %s: the weights of %s hold numbers that are not finite, or its activations exceed compute.dtype."
                .formatted(inputs.data().describe(sequence), sum, whose));
      }
    }
  }

  private List<Completion> answers(Llama llama) {
    if (inputs.prompts().isEmpty()) {
      return List.of();
    }
    Generator generator = new Generator(llama, ranks.world(), ranks::check);
    GenerationListener cancellable =
        new GenerationRun.Cancellable(listener, GenerationListener.NONE);
    List<Completion> completions = new ArrayList<>();
    List<Prompt> prompts = inputs.prompts();
    for (int first = 0; first < prompts.size(); first += spec.batchSize()) {
      if (spec.isSplit() || inputs.share().has(first / spec.batchSize())) {
        completions.addAll(
            generator.generate(
                prompts.subList(first, Math.min(first + spec.batchSize(), prompts.size())),
                spec.generation(),
                StopStrings.NONE,
                cancellable));
      }
    }
    return completions;
  }
}
