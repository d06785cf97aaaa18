package dev.anneal.training.trainer;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.checkpoint.CheckpointReader;
import dev.anneal.training.checkpoint.InvalidCheckpointException;
import dev.anneal.training.checkpoint.ResumePoint;
import dev.anneal.training.checkpoint.TrainerState;
import dev.anneal.training.cuda.GpuMath;
import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.fused.AttentionLibrary;
import dev.anneal.training.fused.FusedAttention;
import dev.anneal.training.fused.FusedLlama;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.io.OutputFolder;
import dev.anneal.training.io.WrittenFile;
import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.Objective;
import dev.anneal.training.model.TrainableModel;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.optim.AdamW;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.product.Products;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.timing.StepTimings;
import dev.anneal.training.weights.Transport;
import java.io.IOException;
import java.util.List;

/** One rank's training run from weights to result. */
public final class TrainingRun {
  static final String TRAINING = "training";

  private TrainingRun() {}

  /**
   * What a run reads and where its result goes.
   *
   * @param initAdapter a PEFT adapter to start from, or {@code null}
   * @param eval held-out sequences, or {@code null}
   * @param samplePrompts token ids of prompts to continue before and after
   * @param baseModelName what the adapter's configuration calls its base model
   * @param checkpoints which are taken, and where to go on
   */
  public record Inputs(
      ModelSource model,
      ModelFolder initAdapter,
      SequenceSource train,
      SequenceSource eval,
      List<int[]> samplePrompts,
      String baseModelName,
      OutputFolder output,
      CheckpointPlan checkpoints) {}

  /**
   * Trains, and on rank 0 writes the result: an adapter in PEFT's form, or with {@code mode: FULL}
   * the model.
   *
   * @throws TrainingException if a native call, a peer or a file fails; names the rank and the step
   * @throws InvalidModelException if the model or the adapter is unusable
   * @throws NotFiniteException if the loss or the gradient is not, and is not to be skipped
   * @throws InvalidCheckpointException if the checkpoint to go on from is unusable
   * @throws TrainingCancelled if the listener asked to stop
   * @throws TrainingStopped if the listener of any rank asked to leave in good order
   */
  public static void run(TrainingSpec spec, Inputs inputs, Ranks ranks, TrainingListener listener) {
    NativeLibraries.load();
    if (ranks.device().isGpu()) {
      GpuMath.deterministic();
    }
    try (TensorScope scope = new TensorScope();
        Kernels kernels = Kernels.on(ranks.device());
        StepTimings timings = new StepTimings(ranks.device())) {
      LlamaConfig config = inputs.model().config();
      try {
        train(spec, inputs, config, ranks.timedBy(timings), kernels, timings, listener);
      } catch (RuntimeException e) {
        throw OutOfMemory.caused(e) ? new OutOfMemory(spec, config, ranks).explain(e) : e;
      }
    } catch (TrainingException
        | TrainingCancelled
        | TrainingStopped
        | InvalidModelException
        | InvalidCheckpointException e) {
      throw e;
    } catch (RuntimeException | IOException e) {
      throw new TrainingException(
          "rank %s, %s".formatted(ranks.rank(), NativeErrors.firstLine(e)), e);
    }
  }

  private static void train(
      TrainingSpec spec,
      Inputs inputs,
      LlamaConfig config,
      Ranks ranks,
      Kernels kernels,
      StepTimings timings,
      TrainingListener listener)
      throws IOException {
    // closed last: after a failure the model's end frees what the device waits for
    try (FusedAttention attention = attention(spec, ranks.device(), listener);
        TrainableModel model = ModelLoader.load(spec, inputs, config, ranks, listener)) {
      Parameters parameters = model.parameters();
      if (spec.mode() == TrainingSpec.Mode.LORA) {
        // whole buckets of a model's weights would take too much to be staged
        exchangeByCopies(parameters, ranks, listener);
      }
      Llama llama = llama(spec, model, ranks, kernels, attention).timedBy(timings);
      AdamW optimizer = new AdamW(spec.updates().optimizer(), parameters, kernels);
      GlobalBatches batches = new GlobalBatches(spec, inputs.train(), ranks);
      TrainerState begin = begin(spec, inputs, batches, parameters, optimizer, ranks, listener);
      Evaluator evaluator = new Evaluator(spec, inputs, config, llama, ranks, listener);
      Evaluations evaluations =
          new Evaluations(spec, evaluator, listener::stopRequested, begin.evaluation());
      try (RunCheckpoints checkpoints =
          new RunCheckpoints(spec, inputs, model, optimizer, ranks, begin, listener)) {
        listener.onPhase(TRAINING);
        if (begin.step() == 0) {
          evaluator.evaluate(0);
        }
        Trainer trainer =
            new Trainer(
                spec,
                batches,
                llama,
                parameters,
                optimizer,
                checkpoints,
                evaluations,
                ranks,
                timings);
        long steps = trainer.train(begin, listener);
        if (!evaluations.areMade()) {
          evaluator.evaluate(steps);
        }
        checkpoints.finish();
        if (evaluations.areMade()) {
          new BestResult(inputs, evaluations, checkpoints, ranks)
              .restore(begin, steps, parameters, optimizer);
          listener.onEnd(evaluations.end(steps));
        }
      }
      listener.onPhase("publishing");
      List<WrittenFile> result = ResultWriter.write(spec, inputs, model, ranks);
      if (ranks.rank() == 0) {
        listener.onResult(result);
      }
      ranks.world().barrier();
    }
  }

  /** Adapters go between the ranks of a host by copies, where these can. */
  private static void exchangeByCopies(
      Parameters parameters, Ranks ranks, TrainingListener listener) {
    if (ranks.device().isGpu() && ranks.world().worldSize() > 1) {
      Transport.asked(Transport.PARAMETERS)
          .connect(Transport.PARAMETERS, parameters::exchangeByCopies)
          .ifPresent(why -> listener.onPhase("summing gradients over NCCL, since " + why));
    }
  }

  /** The run before its first step, or brought to where a checkpoint was taken. */
  private static TrainerState begin(
      TrainingSpec spec,
      TrainingRun.Inputs inputs,
      GlobalBatches batches,
      Parameters parameters,
      AdamW optimizer,
      Ranks ranks,
      TrainingListener listener)
      throws IOException {
    TrainerState fresh =
        TrainerState.fresh(parameters, ranks.world().worldSize(), batches.size(), spec.seed());
    ResumePoint resume = inputs.checkpoints().resume();
    if (resume == null) {
      return fresh;
    }
    if (resume.step() > spec.batches().totalSteps()) {
      throw new InvalidCheckpointException(
          "%s is a checkpoint of step %s, but this run has only %s steps."
              .formatted(resume.folder().location(), resume.step(), spec.batches().totalSteps()));
    }
    listener.onPhase("loading checkpoint");
    return CheckpointReader.restore(resume, fresh, parameters, optimizer, ranks.rank());
  }

  /** Whether GPUs train by the fused layers. */
  static boolean isFused(TrainingSpec spec) {
    return spec.compute().dtype() == DType.BF16
        && spec.lora() != null
        && !spec.lora().isDora()
        && spec.lora().dropout() == 0;
  }

  /** The attention of the fused layers; the reference has its own. */
  private static FusedAttention attention(
      TrainingSpec spec, Device device, TrainingListener listener) {
    AttentionLibrary library = isFused(spec) ? spec.compute().attention() : AttentionLibrary.FLASH;
    return FusedAttention.of(
        library,
        device,
        sentence -> {
          listener.onNotice(sentence);
          // it may come within a step
          listener.onPhase(TRAINING);
        });
  }

  /** The fused layers where they serve, else the reference. */
  private static Llama llama(
      TrainingSpec spec,
      TrainableModel model,
      Ranks ranks,
      Kernels kernels,
      FusedAttention attention) {
    Device device = ranks.device();
    TrainingSpec.Compute compute = spec.compute();
    Objective objective = spec.updates().objective();
    FusedLlama.Settings settings =
        new FusedLlama.Settings(
            compute.matmul(),
            compute.activations(),
            spec.weights().columns(),
            compute.head(),
            objective);
    return device.isGpu() && isFused(spec) && model instanceof LoraModel lora
        ? FusedLlama.of(
            lora,
            device,
            kernels,
            settings,
            attention,
            Products.on(device, isUndisturbed(lora, ranks)))
        : Llama.reference(model, device, compute.dtype(), compute.activations(), objective);
  }

  /** Whether no kernel of a collective goes on beside the layers. */
  private static boolean isUndisturbed(LoraModel model, Ranks ranks) {
    return ranks.world().worldSize() == 1
        || (model.parameters().exchangesByCopies() && model.decoder().whyGathered().isEmpty());
  }
}
