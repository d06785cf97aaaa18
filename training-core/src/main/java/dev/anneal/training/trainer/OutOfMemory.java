package dev.anneal.training.trainer;

import static java.util.Locale.ROOT;

import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.fused.FusedLlama;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.weights.FrozenLayers.Shard;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

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
            gigabytes(memory.peakAllocatedBytes() + ranks.mapped().peakBytes()),
            String.join(", ", holders()),
            remedy());
  }

  /** What lasts, by what it belongs to. */
  private List<String> holders() {
    Map<MemoryTable.Part, Long> bytes = new EnumMap<>(MemoryTable.Part.class);
    for (MemoryTable.Row row : MemoryTable.lasting(rank())) {
      bytes.merge(row.part(), row.deviceBytes(), Long::sum);
    }
    // with the rest
    bytes.remove(MemoryTable.Part.WORK);
    return bytes.entrySet().stream()
        .map(held -> part(name(held.getKey()), held.getValue()))
        .toList();
  }

  private String name(MemoryTable.Part part) {
    return switch (part) {
      case FROZEN -> "frozen layers";
      case VOCABULARY -> "embedding and head";
      case TRAINED ->
          spec.mode() == TrainingSpec.Mode.FULL
              ? "weights, gradient and optimizer"
              : "adapters and optimizer";
      case WORK, ASSUMED -> "the rest";
    };
  }

  private MemoryTable.Rank rank() {
    boolean split = spec.weights().shard() != Shard.NONE;
    return new MemoryTable.Rank(
        config, spec, ranks.world().worldSize(), split ? ranks.shard().worldSize() : 1, false);
  }

  private String remedy() {
    KeptActivations activations = spec.compute().activations();
    int layers = config.numHiddenLayers();
    if (activations.keeping(layers) > 0) {
      if (activations.recomputed(layers) == 0) {
        return "Set activations.checkpoint=layer";
      }
      return "Raise activations.checkpoint (now %s of %s layers)"
          .formatted(activations.recomputed(layers), layers - activations.host(layers));
    }
    if (spec.mode() == TrainingSpec.Mode.LORA) {
      if (spec.weights().dtype() != DType.FP8) {
        return "Set base_weights.dtype=fp8";
      }
      if (spec.weights().areWhole()) {
        return spec.weights().columns() == FusedLlama.Columns.KEPT
            ? "Set base_weights.both_layouts=false"
            : "Set base_weights.exact_edges=0";
      }
      if (spec.weights().shard() == Shard.NONE && ranks.world().worldSize() > 1) {
        return "Set base_weights.shard=node";
      }
      if (spec.weights().offloadRatio() < 1) {
        return "Raise base_weights.offload_ratio (now %s)".formatted(spec.weights().offloadRatio());
      }
    }
    if (activations.inputs() == KeptActivations.Inputs.ON_DEVICE
        && activations.recomputed(layers) > 0) {
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
