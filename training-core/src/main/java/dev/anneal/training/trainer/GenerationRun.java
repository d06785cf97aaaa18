package dev.anneal.training.trainer;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.cuda.GpuMath;
import dev.anneal.training.fused.FusedLlama;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.GenerationListener;
import dev.anneal.training.generate.GenerationSpec;
import dev.anneal.training.generate.Generator;
import dev.anneal.training.generate.InvalidPromptException;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.generate.StopStrings;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.Llama.Activations;
import dev.anneal.training.model.ModelSource;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/** One rank's continuations of prompts, from a model's files on. */
public final class GenerationRun {
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
  }

  /**
   * What a rank reads.
   *
   * @param adapter in PEFT's form, or {@code null}
   * @param prompts the same on every rank
   * @param stopStrings asked on rank 0
   */
  public record Inputs(
      ModelSource model, ModelFolder adapter, List<Prompt> prompts, StopStrings stopStrings) {}

  /**
   * Goes on from all prompts.
   *
   * @param phases asked for every token whether this rank is to stop
   * @return in the order of the prompts, the same on every rank
   * @throws TrainingException if a native call, a peer or a file fails; names the rank
   * @throws InvalidModelException if model or adapter are unusable
   * @throws InvalidPromptException if a prompt is empty or longer than the model's context
   * @throws TrainingCancelled if {@code phases} asked to stop
   */
  public static List<Completion> run(
      Spec spec, Inputs inputs, Ranks ranks, PhaseListener phases, GenerationListener listener) {
    NativeLibraries.load();
    if (ranks.device().isGpu()) {
      GpuMath.deterministic();
    }
    try (TensorScope scope = new TensorScope();
        Kernels kernels = Kernels.on(ranks.device())) {
      return generate(spec, inputs, ranks, kernels, phases, listener);
    } catch (TrainingException
        | TrainingCancelled
        | InvalidModelException
        | InvalidPromptException e) {
      throw e;
    } catch (RuntimeException | IOException e) {
      throw new TrainingException(
          "rank %s, %s"
              .formatted(
                  ranks.rank(),
                  OutOfMemory.caused(e)
                      ? "%s is out of memory: take fewer prompts side by side, or hold the weights in fp8, split or offloaded (base_weights)."
                          .formatted(ranks.device())
                      : NativeErrors.firstLine(e)),
          e);
    }
  }

  private static List<Completion> generate(
      Spec spec,
      Inputs inputs,
      Ranks ranks,
      Kernels kernels,
      PhaseListener phases,
      GenerationListener listener)
      throws IOException {
    phases.onPhase(Progress.LOADING_WEIGHTS);
    try (LoraModel model =
        ModelLoader.loadFrozen(
            inputs.model(),
            inputs.adapter(),
            ModelLoader.placement(spec.weights(), spec.compute(), ranks),
            ranks,
            phases)) {
      Generator generator =
          new Generator(llama(spec, model, ranks, kernels), ranks.world(), ranks::check);
      phases.onPhase("generating");
      GenerationListener cancellable = new Cancellable(phases, listener);
      List<Completion> completions = new ArrayList<>();
      List<Prompt> prompts = inputs.prompts();
      for (int first = 0; first < prompts.size(); first += spec.batchSize()) {
        List<Prompt> together =
            prompts.subList(first, Math.min(first + spec.batchSize(), prompts.size()));
        completions.addAll(
            generator.generate(together, spec.generation(), inputs.stopStrings(), cancellable));
      }
      return completions;
    }
  }

  /** The fused layers where they serve, else the reference. */
  static Llama llama(Spec spec, LoraModel model, Ranks ranks, Kernels kernels) {
    return ranks.device().isGpu() && spec.compute() == DType.BF16
        ? FusedLlama.of(model, ranks.device(), kernels, spec.matmul(), Activations.CHECKPOINT)
        : Llama.reference(model, ranks.device(), spec.compute(), Activations.CHECKPOINT);
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
