package dev.anneal.training.trainer;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.fused.FusedLlama;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.GenerationListener;
import dev.anneal.training.generate.GenerationSpec;
import dev.anneal.training.generate.Generator;
import dev.anneal.training.generate.InvalidPromptException;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.generate.PromptQueue;
import dev.anneal.training.generate.RankZero;
import dev.anneal.training.generate.StopStrings;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.FrozenLayers;
import java.io.IOException;
import java.io.Serializable;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** One rank's continuations of prompts, from a model's files on. */
public final class GenerationRun {
  /** The phase that begins once a rank has its model. */
  public static final String GENERATING = "generating";

  private GenerationRun() {}

  /**
   * How a model is held and what is asked of it.
   *
   * @param weights how frozen weights are held, as in training
   * @param compute dtype of activations, of keys and of values
   * @param matmul what products with frozen weights are computed in
   * @param batchSize most prompts side by side
   */
  public record Spec(
      TrainingSpec.Weights weights,
      DType compute,
      Matmul matmul,
      int batchSize,
      GenerationSpec generation)
      implements Serializable {

    public Spec {
      if (batchSize < 1) {
        throw new IllegalArgumentException(
            "the batch size is %s, but must be 1 or more.".formatted(batchSize));
      }
    }

    /** Whether all ranks go through the same passes, since each holds a part of the weights. */
    public boolean isSplit() {
      return weights.shard() != FrozenLayers.Shard.NONE;
    }
  }

  /**
   * What a rank reads, which answers for as long as it is asked.
   *
   * @param adapter in PEFT's form, or {@code null}
   * @param queue asked on rank 0, told on every rank
   * @param stopStrings asked on rank 0
   */
  public record Service(
      ModelSource model, ModelFolder adapter, PromptQueue queue, StopStrings stopStrings) {}

  /**
   * Goes on from what a queue hands out until it has no more; where that is so from the beginning,
   * no weights are read.
   *
   * @param phases asked for every token, and while there are no prompts, whether this rank is to
   *     stop
   * @throws TrainingException if a native call, a peer or a file fails; names the rank
   * @throws InvalidModelException if model or adapter are unusable
   * @throws InvalidPromptException if a prompt is empty or longer than the model's context
   * @throws TrainingCancelled if {@code phases} asked to stop
   */
  public static void serve(
      Spec spec, Service service, Ranks ranks, PhaseListener phases, GenerationListener listener) {
    Inference.run(
        ranks,
        "prompts side by side",
        kernels -> {
          answer(spec, service, ranks, kernels, phases, listener);
          return null;
        });
  }

  private static void answer(
      Spec spec,
      Service service,
      Ranks ranks,
      Kernels kernels,
      PhaseListener phases,
      GenerationListener listener)
      throws IOException {
    RankZero rankZero = new RankZero(ranks.world(), ranks::check);
    Optional<List<Prompt>> next = next(service.queue(), rankZero, ranks);
    if (next.isEmpty()) {
      return;
    }
    phases.onPhase(Progress.LOADING_WEIGHTS);
    try (LoraModel model =
        ModelLoader.loadFrozen(
            service.model(),
            service.adapter(),
            ModelLoader.placement(spec.weights(), spec.compute(), ranks),
            ranks,
            phases)) {
      Generator generator =
          new Generator(llama(spec, model, ranks, kernels), ranks.world(), ranks::check);
      phases.onPhase(GENERATING);
      GenerationListener cancellable = new Cancellable(phases, listener);
      while (next.isPresent()) {
        if (!next.get().isEmpty()) {
          service
              .queue()
              .done(
                  generator.generate(
                      next.get(), spec.generation(), service.stopStrings(), cancellable));
        } else if (phases.cancelled()) {
          throw new TrainingCancelled(0);
        }
        next = next(service.queue(), rankZero, ranks);
      }
    }
  }

  /** What rank 0 is given; peers that wait for a prompt hear now and then that there is none. */
  private static Optional<List<Prompt>> next(PromptQueue queue, RankZero rankZero, Ranks ranks) {
    Optional<List<Prompt>> next = rankZero.isHere() ? queue.next() : Optional.empty();
    if (ranks.world().worldSize() == 1) {
      return next;
    }
    try (TensorScope scope = new TensorScope()) {
      Tensor there = Tensors.zeros(ranks.device(), ScalarType.Long, 1);
      return PromptQueue.of(rankZero.any(PromptQueue.numbers(next), there));
    }
  }

  /** The fused layers where they serve, else the reference. */
  static Llama llama(Spec spec, LoraModel model, Ranks ranks, Kernels kernels) {
    boolean known = !model.layout().spec().isDora();
    return ranks.device().isGpu() && spec.compute() == DType.BF16 && known
        ? FusedLlama.of(model, ranks.device(), kernels, spec.matmul(), KeptActivations.INPUTS)
        : Llama.reference(model, ranks.device(), spec.compute(), KeptActivations.INPUTS);
  }

  record Cancellable(PhaseListener phases, GenerationListener listener)
      implements GenerationListener {
    @Override
    public void onToken(Prompt prompt, int token) {
      if (phases.cancelled()) {
        throw new TrainingCancelled(0);
      }
      listener.onToken(prompt, token);
    }

    @Override
    public void onEnd(Completion completion) {
      listener.onEnd(completion);
    }
  }
}
