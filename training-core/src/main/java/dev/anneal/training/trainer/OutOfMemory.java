package dev.anneal.training.trainer;

import static java.util.Locale.ROOT;

import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.model.FullModel;
import dev.anneal.training.model.Llama.Activations;
import dev.anneal.training.model.LlamaConfig;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.weights.FrozenWeights;
import dev.anneal.training.weights.FrozenWeights.Shard;
import java.util.List;

/** What to tell a user whose GPU is full: what each part holds, and which setting to change. */
final class OutOfMemory {
  /** How libtorch's message begins. */
  private static final String SIGN = "CUDA out of memory";

  private final TrainingSpec spec;
  private final LlamaConfig config;
  private final Ranks ranks;

  OutOfMemory(TrainingSpec spec, LlamaConfig config, Ranks ranks) {
    this.spec = spec;
    this.config = config;
    this.ranks = ranks;
  }

  /** Whether {@code error} comes of a full GPU. */
  static boolean caused(Throwable error) {
    for (Throwable t = error; t != null; t = t.getCause()) {
      String message = t.getMessage();
      if (message != null && message.contains(SIGN)) {
        return true;
      }
    }
    return false;
  }

  /** What the rank was doing, what holds the memory, and the remedy. */
  TrainingException explain(Exception error) {
    String message = NativeErrors.firstLine(error);
    int sign = message.indexOf(SIGN);
    String doing =
        sign > 0 ? message.substring(0, sign) : "rank %s, loading: ".formatted(ranks.rank());
    return new TrainingException(doing + sentence(), error);
  }

  private String sentence() {
    GpuMemory memory = new GpuMemory(ranks.device());
    return "%s is out of memory: it has %s, of which tensors held %s; %s; the rest is activations. %s."
        .formatted(
            ranks.device(),
            gigabytes(memory.totalBytes()),
            gigabytes(memory.peakAllocatedBytes()),
            String.join(", ", spec.mode() == TrainingSpec.Mode.FULL ? trained() : frozen()),
            remedy());
  }

  private List<String> trained() {
    long bytes =
        Parameters.bytes(
            FullModel.count(config), spec.compute().dtype(), ranks.world().worldSize());
    return List.of(part("weights, gradient and optimizer", bytes));
  }

  private List<String> frozen() {
    FrozenWeights.Holdings frozen =
        FrozenWeights.holdings(config, ModelLoader.placement(spec, ranks));
    long vocabulary =
        (config.tieWordEmbeddings() ? 1L : 2L) * config.vocabSize() * config.hiddenSize();
    return List.of(
        part("frozen layers", frozen.deviceBytes() + frozen.bufferBytes()),
        part("embedding and head", vocabulary * spec.compute().dtype().bytes()),
        part("adapters and optimizer", adapterBytes()));
  }

  private long adapterBytes() {
    long parameters =
        LoraModel.shapes(config, LoraLayout.of(spec.lora(), config)).stream()
            .flatMap(List::stream)
            .mapToLong(Parameters.Shape::numel)
            .sum();
    return Parameters.bytes(parameters, spec.compute().dtype(), ranks.world().worldSize());
  }

  private String remedy() {
    Activations activations = spec.compute().activations();
    if (activations.recomputedLayers() == 0) {
      return "Set activations.checkpoint=layer";
    }
    if (activations.recomputedLayers() < config.numHiddenLayers()) {
      return "Raise activations.checkpoint (now %s of %s layers)"
          .formatted(activations.recomputedLayers(), config.numHiddenLayers());
    }
    if (spec.mode() == TrainingSpec.Mode.LORA) {
      if (spec.weights().dtype() != DType.FP8) {
        return "Set base_weights.dtype=fp8";
      }
      if (spec.weights().shard() == Shard.NONE && ranks.world().worldSize() > 1) {
        return "Set base_weights.shard=node";
      }
      if (spec.weights().offloadRatio() < 1) {
        return "Raise base_weights.offload_ratio (now %s)".formatted(spec.weights().offloadRatio());
      }
    }
    if (activations.inputs() == Activations.Inputs.ON_DEVICE) {
      return "Set activations.offload=true";
    }
    return "Lower training.micro_batch_size or data.max_length";
  }

  private static String part(String what, long bytes) {
    return what + " hold " + gigabytes(bytes);
  }

  private static String gigabytes(long bytes) {
    return String.format(ROOT, "%.1f GB", bytes / 1e9);
  }
}
