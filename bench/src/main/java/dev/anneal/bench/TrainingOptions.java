package dev.anneal.bench;

import dev.anneal.training.fused.AttentionLibrary;
import dev.anneal.training.fused.FusedLlama;
import dev.anneal.training.fused.HeadProducts;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.optim.AdamWSpec;
import dev.anneal.training.optim.LearningRateSchedule;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.trainer.MemoryTable;
import dev.anneal.training.trainer.TrainingSpec;
import dev.anneal.training.weights.FrozenLayers.Shard;
import dev.anneal.training.weights.Transport;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Option;

/** What {@link TrainingBenchmark} is to measure, and what follows from that alone. */
final class TrainingOptions {
  /** Where the ranks compute. */
  private enum On {
    GPU,
    CPU
  }

  /** Whether steps are timed in their parts. */
  enum Timed {
    ON,
    OFF
  }

  /** What layers keep of their forward. */
  private enum Kept {
    KEEP(KeptActivations.ALL),
    CHECKPOINT(KeptActivations.INPUTS),
    CHECKPOINT_ON_HOST(KeptActivations.INPUTS_ON_HOST);

    // a record of three values that never change
    @SuppressWarnings("ImmutableEnumChecker")
    private final KeptActivations activations;

    Kept(KeptActivations activations) {
      this.activations = activations;
    }

    KeptActivations of(int recomputed) {
      return this == KEEP ? activations : activations.first(recomputed);
    }
  }

  /** So few that the GPU is through with a step before the host has enqueued it. */
  private static final int HOST_TOKENS = 64;

  /** A shape for the host: 38 million weights in four layers. */
  private static final LlamaConfig SMALL =
      new LlamaConfig(
          2048, 768, 3072, 4, 12, 4, 64, 1e-5, null, 500_000, 4096, false, null, List.of());

  @Option(names = "--name", description = "what the line is called")
  String name = "anneal";

  @Option(names = "--on", description = "GPU, or CPU for fp32 on the host")
  private On on = On.GPU;

  @Option(names = "--shape", description = "small, llama3.1-8b, -70b or -405b")
  String shape = "llama3.1-8b";

  @Option(names = "--layers", description = "decoder layers, where fewer than the shape has")
  private Integer layers;

  @Option(names = "--rows", description = "JSON lines of packed sequences instead of random tokens")
  Path rows;

  @Option(names = "--length", description = "tokens of a random sequence")
  private int length = 1024;

  @Option(names = "--micro-batch", description = "sequences a rank takes at once")
  private int microBatch = 4;

  @Option(
      names = "--host",
      description =
          "one sequence of 64 tokens a step, for which a GPU waits: what a step takes the host")
  boolean host;

  @Option(names = "--r", description = "rank of the adapters, and their alpha")
  private int adapterRank = 64;

  @Option(names = "--targets", split = ",", description = "modules with an adapter")
  private List<String> targets = List.of("all-linear");

  @Option(names = "--matmul", description = "COMPUTE or FP8")
  private Matmul matmul = Matmul.FP8;

  @Option(names = "--attention", description = "FLASH or CUDNN")
  private AttentionLibrary attention = AttentionLibrary.DEFAULT;

  @Option(names = "--base", description = "FP8, BF16 or FP32")
  private DType base = DType.FP8;

  @Option(names = "--columns", description = "of FP8 weights: MADE or KEPT")
  private FusedLlama.Columns columns = FusedLlama.Columns.MADE;

  @Option(names = "--exact-edges", description = "layers at either end in bf16")
  int exactEdges;

  @Option(names = "--head", description = "EXACT, FP8_BACKWARD or FP8")
  private HeadProducts head = HeadProducts.EXACT;

  @Option(names = "--activations", description = "KEEP, CHECKPOINT or CHECKPOINT_ON_HOST")
  private Kept activations = Kept.KEEP;

  @Option(
      names = "--recomputed",
      description = "layers that CHECKPOINT is for, the first; the others keep all")
  private int recomputed = Integer.MAX_VALUE;

  @Option(names = "--host-layers", description = "layers that keep all in host memory")
  private int hostLayers;

  @Option(names = "--offload", description = "share of the frozen weights in host memory")
  private double offload;

  @Option(names = "--shard", description = "NONE or NODE")
  private Shard shard = Shard.NONE;

  @Option(names = "--transport", description = "of split weights: ANY, PEERS or COLLECTIVE")
  Transport transport = Transport.ANY;

  @Option(
      names = "--parameter-transport",
      description = "of gradients and adapters: ANY, PEERS or COLLECTIVE")
  Transport parameterTransport = Transport.ANY;

  @Option(names = "--checkpoint-every", description = "steps between checkpoints; 0: none")
  int checkpointEvery;

  @Option(names = "--checkpoints", description = "the folder that they are written into")
  Path checkpoints;

  @Option(names = "--gpus", description = "ranks, each a thread and a GPU of this process")
  int gpus = 1;

  @Option(names = "--processes", description = "ranks are processes, this one the first of them")
  boolean processes;

  @Option(
      names = "--one-gpu",
      description = "ranks that are processes are all on GPU 0, which says nothing of two of them")
  boolean oneGpu;

  @Option(names = "--rank", hidden = true, description = "the one that this process is")
  Integer onlyRank;

  @Option(names = "--steps", description = "measured steps")
  private int steps = 12;

  @Option(names = "--warmup", description = "steps before them")
  int warmup = 4;

  @Option(names = "--timings", description = "ON, or OFF: steps are not timed in their parts")
  Timed timings = Timed.ON;

  @Option(names = "--profile", description = "takes a profile of so many steps, which nobody reads")
  int profile;

  @Option(names = "--predict", description = "print the table of memory and train nothing")
  boolean predict;

  boolean onGpu() {
    return on == On.GPU;
  }

  Device device(int rank) {
    return onGpu() ? Device.gpu(oneGpu ? 0 : rank) : Device.CPU;
  }

  boolean splitsWeights() {
    return shard != Shard.NONE;
  }

  LlamaConfig config() {
    LlamaConfig config = shape.equals("small") ? SMALL : LlamaConfig.named(shape);
    return layers == null ? config : config.withLayers(layers);
  }

  /** Of random tokens. */
  BatchShape batch() {
    return host ? new BatchShape(1, HOST_TOKENS) : new BatchShape(microBatch, length);
  }

  TrainingSpec spec() {
    return new TrainingSpec(
        TrainingSpec.Mode.LORA,
        new LoraSpec(adapterRank, adapterRank, 0, false, targets),
        new TrainingSpec.Weights(base, shard, offload, columns, exactEdges),
        new TrainingSpec.Compute(
            onGpu() ? DType.BF16 : DType.FP32,
            matmul,
            activations.of(recomputed).onHost(hostLayers),
            attention,
            head),
        new TrainingSpec.Batches(host ? 1 : microBatch, 1, (long) warmup + steps, false),
        new TrainingSpec.Updates(
            new AdamWSpec(2e-5, 0, 0.9, 0.999, 1e-8),
            new LearningRateSchedule(LearningRateSchedule.Type.LINEAR, 0, (long) warmup + steps),
            1.0,
            TrainingSpec.OnNan.STOP),
        42,
        TrainingSpec.Evaluation.atBothEnds(0));
  }

  /** What a rank of the run holds at most, by arithmetic. */
  MemoryTable memory() {
    int split = splitsWeights() ? gpus : 1;
    MemoryTable.Rank rank =
        new MemoryTable.Rank(config(), spec(), gpus, split, checkpointEvery > 0);
    return MemoryTable.of(rank, batch());
  }
}
