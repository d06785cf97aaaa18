package dev.anneal.training.trainer;

import dev.anneal.training.fused.AttentionLibrary;
import dev.anneal.training.fused.FusedLlama;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.trainer.MemoryTable.Rank;
import dev.anneal.training.weights.FrozenLayers;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * How long an optimizer step of {@link AverageBatch average} micro-batches takes, by arithmetic and
 * {@link GpuRates}: the longest of what the GPU computes, what is copied to it, what it gathers and
 * what the host enqueues, for all of these go on beside each other.
 *
 * @param gpu the kind of GPU
 * @param binds the longest
 * @param stepSeconds of an optimizer step
 * @param gatherSeconds in which NCCL's kernels take multiprocessors from products, counted with
 *     what the GPU computes
 * @param tokensPerSecond of all GPUs
 */
public record SpeedEstimate(
    String gpu, Bound binds, double stepSeconds, double gatherSeconds, double tokensPerSecond) {

  /** What a step may wait for. */
  public enum Bound {
    COMPUTE("the GPU's products and kernels"),
    HOST_COPIES("copies from the host's memory"),
    NVLINK("gathers over NVLink"),
    NETWORK("what comes over the network"),
    ENQUEUE("what the host enqueues");

    private final String words;

    Bound(String words) {
      this.words = words;
    }

    /** In words that follow "binds". */
    public String words() {
      return words;
    }
  }

  /**
   * The nodes of a run.
   *
   * @param gpus of a node, which share a host's memory
   * @param networkBytes that a node receives from others in a second
   */
  public record Nodes(int gpus, double networkBytes) {
    /** 400 Gbit/s, as clusters with such GPUs have it; not measured. */
    private static final double USUAL_NETWORK_BYTES = 50e9;

    /** Nodes with the usual network between them. */
    public static Nodes of(int gpus) {
      return new Nodes(gpus, USUAL_NETWORK_BYTES);
    }
  }

  private record Time(Bound bound, double seconds) {}

  /** Bytes that kernels read and write for each token of a layer, by the width of what they do. */
  private record KernelBytes(double hidden, double intermediate, double joined) {
    double of(LlamaConfig config) {
      return hidden * config.hiddenSize()
          + intermediate * config.intermediateSize()
          + joined
              * (config.numAttentionHeads() + 2.0 * config.numKeyValueHeads())
              * config.headDim();
    }
  }

  /**
   * Norms with their FP8 forms, residuals, RoPE, SwiGLU: elements read and written as the kernels'
   * heads list them, in bf16 and, where products are in FP8, with a byte more.
   */
  private static final KernelBytes FORWARD = new KernelBytes(23, 7, 4);

  private static final KernelBytes BACKWARD = new KernelBytes(22, 14, 5);

  /** The same of a forward that is done again: without SwiGLU and the last residual. */
  private static final KernelBytes AGAIN = new KernelBytes(17, 0, 4);

  /** A norm's output that adapters read in the backward: made again, in bf16. */
  private static final KernelBytes NORM_AGAIN = new KernelBytes(4, 0, 0);

  /** AdamW's: fp32 value, gradient, two moments, read and written, and the value in bf16. */
  private static final double UPDATE_BYTES = 30;

  /**
   * The estimate.
   *
   * @param plan whose rows count as far as they are known
   * @return none where layers do not go the fused way, or the GPU is of no kind that was measured
   */
  public static Optional<SpeedEstimate> of(MemoryPlan plan, Nodes nodes, Optional<GpuKind> kind) {
    Rank rank = plan.rank();
    AverageBatch batch = AverageBatch.of(plan.batch(), plan.rows());
    int microBatches = rank.spec().batches().gradientAccumulation();
    if (!TrainingRun.isFused(rank.spec()) || kind.isEmpty()) {
      return Optional.empty();
    }
    GpuRates rates = kind.get().rates();
    Model model = new Model(rank, batch, rates, LoraLayout.of(rank.spec().lora(), rank.config()));
    TrafficTable.Row traffic =
        TrafficTable.of(rank, batch.shape(), microBatches, nodes.gpus()).all();
    double gathers = traffic.fromPeers() / rates.traffic().nvlink();
    // NCCL's kernels take multiprocessors from products, and the GPUs of an executor gather over it
    double compute = microBatches * model.microBatchSeconds() + model.updateSeconds() + gathers;
    double copies =
        Math.min(rates.traffic().hostCopies(), rates.traffic().hostCopiesOfAll() / nodes.gpus());
    double copied = Math.max(traffic.toGpu(), traffic.toHost()) / copies;
    double waits = microBatches * model.waitSeconds(copies);
    Time longest =
        Stream.of(
                new Time(Bound.COMPUTE, compute),
                new Time(Bound.HOST_COPIES, waits > 0 ? Math.max(copied, compute + waits) : copied),
                new Time(Bound.NVLINK, gathers),
                new Time(
                    Bound.NETWORK,
                    (double) traffic.fromNodes() * nodes.gpus() / nodes.networkBytes()),
                new Time(Bound.ENQUEUE, microBatches * model.enqueueSeconds()))
            .max(Comparator.comparingDouble(Time::seconds))
            .orElseThrow();
    double tokens = batch.tokens() * microBatches * rank.worldSize();
    return Optional.of(
        new SpeedEstimate(
            rates.kind().name(),
            longest.bound(),
            longest.seconds(),
            gathers,
            tokens / longest.seconds()));
  }

  /** A kind of GPU whose rates are known. */
  public record GpuKind(String name) {
    /** By the name that the driver gives. */
    public static Optional<GpuKind> named(String name) {
      return GpuRates.named(name).map(rates -> new GpuKind(rates.kind().name()));
    }

    /** The one that all GPUs of these names are; none where they differ or one is another. */
    public static Optional<GpuKind> ofAll(Stream<String> names) {
      List<Optional<GpuKind>> kinds = names.map(GpuKind::named).distinct().toList();
      return kinds.size() == 1 ? kinds.get(0) : Optional.empty();
    }

    /** The one that has so much memory. */
    public static Optional<GpuKind> of(long memoryBytes) {
      return GpuRates.of(memoryBytes).map(rates -> new GpuKind(rates.kind().name()));
    }

    private GpuRates rates() {
      return GpuRates.named(name).orElseThrow();
    }
  }

  /** A rank's work. */
  private record Model(Rank rank, AverageBatch batch, GpuRates rates, LoraLayout adapters) {
    double microBatchSeconds() {
      double layers = config().numHiddenLayers();
      return rates.work().throttle()
          * (layers * keptSeconds() + recomputed() * againSeconds() + head());
    }

    /**
     * How long a micro-batch waits for layers on the host: they leave beside the forward and come
     * back beside the backward, half of the frozen layers that come with them. Where that binds,
     * steps took up to 7% longer.
     *
     * @param copies bytes a second each way
     */
    double waitSeconds(double copies) {
      if (rank.spec().compute().activations().copied(config().numHiddenLayers()) == 0) {
        return 0;
      }
      // what goes over PCIe is this GPU's own, whoever else is on its node
      TrafficTable.Row traffic = TrafficTable.of(rank, batch.shape(), 1, 1).all();
      double kept = traffic.toHost();
      double frozen = traffic.toGpu() - kept;
      double forward = rates.work().throttle() * config().numHiddenLayers() * forwardSeconds();
      double backward = microBatchSeconds() - forward;
      double out = Math.max(kept, frozen / 2) / copies;
      double back = (kept + frozen / 2) / copies;
      return Math.max(0, out - forward) + Math.max(0, back - backward);
    }

    private double forwardSeconds() {
      double t = batch.tokens();
      return 2 * weights() * t / productRate()
          + attentionOperations() / attentionRate()
          + (2 * t * adapted(1, 2 - joinedOutputs()) + t * FORWARD.of(config()) + weightBytes(1))
              / rates.work().memory();
    }

    private double keptSeconds() {
      double t = batch.tokens();
      double products = 4 * weights() * t / productRate();
      // forward, and two and a half times that backward
      double attention = 3.5 * attentionOperations() / attentionRate();
      double loraBytes = 2 * t * adapted(4 - 2 * joinedOutputs(), 3 - joinedOutputs());
      double again = normsReadByAdapters() * NORM_AGAIN.of(config());
      double kernels = t * (FORWARD.of(config()) + BACKWARD.of(config()) + again);
      return products
          + attention
          + (loraBytes + kernels + weightBytes(2) + transposes()) / rates.work().memory();
    }

    private double againSeconds() {
      double t = batch.tokens();
      double down = parameters(LinearModule.DOWN_PROJ);
      double products = 2 * (weights() - down) * t / productRate();
      double joined = joinedOutputs();
      double loraBytes = 2 * t * (adapted(1, 2 - joined) - adaptedDown(2 - joined));
      return products
          + attentionOperations() / attentionRate()
          + (loraBytes + t * AGAIN.of(config()) + weightBytes(1)) / rates.work().memory();
    }

    /**
     * Two products of each token that is predicted: the logits, and the hidden state's gradient.
     * One in FP8 takes half as long.
     */
    private double head() {
      double product = 2.0 * config().vocabSize() * config().hiddenSize() * batch.targets();
      TrainingSpec spec = rank.spec();
      double products =
          switch (spec.compute().head().during(spec.updates().objective())) {
            case EXACT -> 2;
            case FP8_BACKWARD -> 1.5;
            case FP8 -> 1;
          };
      return products * product / rates.work().head();
    }

    double updateSeconds() {
      double trained = 0;
      for (LinearModule module : LinearModule.values()) {
        trained += rankOf(module) * (inOf(module) + outOf(module));
      }
      double own = trained * config().numHiddenLayers() / rank.worldSize();
      return own * UPDATE_BYTES / rates.work().memory();
    }

    double enqueueSeconds() {
      double passes = config().numHiddenLayers() + recomputed() / 3;
      return passes * rates.layerCalls();
    }

    private double recomputed() {
      return rank.spec().compute().activations().recomputed(config().numHiddenLayers());
    }

    /** Of one forward: scores and values, half of the square. */
    private double attentionOperations() {
      double queries = (double) config().numAttentionHeads() * config().headDim();
      return 2 * batch.tokens() * batch.attended() * queries;
    }

    private double attentionRate() {
      return rank.spec().compute().attention() == AttentionLibrary.CUDNN
          ? rates.work().cudnn(batch.attended())
          : rates.work().flash();
    }

    private double productRate() {
      if (rank.spec().compute().matmul() == Matmul.COMPUTE) {
        return rates.work().bf16();
      }
      double layers = config().numHiddenLayers();
      double inner = FrozenLayers.inner(config(), rank.spec().weights().exactEdges()) / layers;
      return 1 / (inner / rates.work().fp8() + (1 - inner) / rates.work().bf16());
    }

    private double weights() {
      return Stream.of(LinearModule.values()).mapToDouble(this::parameters).sum();
    }

    private double parameters(LinearModule module) {
      return inOf(module) * outOf(module);
    }

    /** FP8 weights that are multiplied in bf16 are read and written in it before. */
    private double weightBytes(int times) {
      boolean cast =
          rank.spec().compute().matmul() == Matmul.COMPUTE
              && rank.spec().weights().dtype() == DType.FP8;
      // a byte read, two written, two read by the product
      return cast ? 5 * times * weights() : 0;
    }

    /** FP8 products of the backward take weights transposed, which may be kept. */
    private double transposes() {
      boolean transposes =
          rank.spec().compute().matmul() == Matmul.FP8
              && rank.spec().weights().columns() == FusedLlama.Columns.MADE;
      return transposes ? 2 * weights() : 0;
    }

    /**
     * Passes over a result that are not made where a kernel adds adapters' products to it, as a
     * rank without others does: fitted, since they went beside the products in part.
     */
    private double joinedOutputs() {
      return rank.worldSize() == 1 ? 0.5 : 0;
    }

    /** Elements that low-rank products read and write for a token: of inputs and of outputs. */
    private double adapted(double ofInput, double ofOutput) {
      double elements = 0;
      for (LinearModule module : LinearModule.values()) {
        if (rankOf(module) > 0) {
          elements += ofInput * inOf(module) + ofOutput * outOf(module);
        }
      }
      return elements;
    }

    private double adaptedDown(double ofOutput) {
      LinearModule down = LinearModule.DOWN_PROJ;
      return rankOf(down) > 0 ? inOf(down) + ofOutput * outOf(down) : 0;
    }

    /** Of a layer's two. */
    private long normsReadByAdapters() {
      return Stream.of(ModuleGroup.QKV, ModuleGroup.GATE_UP)
          .filter(group -> group.modules().stream().anyMatch(module -> rankOf(module) > 0))
          .count();
    }

    /** On average over the layers. */
    private double rankOf(LinearModule module) {
      return adapters.layers().stream()
          .mapToDouble(layer -> layer.containsKey(module) ? layer.get(module).r() : 0)
          .average()
          .orElse(0);
    }

    private double inOf(LinearModule module) {
      return module.inFeatures(config());
    }

    private double outOf(LinearModule module) {
      return module.outFeatures(config());
    }

    private LlamaConfig config() {
      return rank.config();
    }
  }
}
