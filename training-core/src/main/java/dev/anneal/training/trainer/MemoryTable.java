package dev.anneal.training.trainer;

import dev.anneal.training.fused.FusedLlama;
import dev.anneal.training.fused.FusedMemory;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraVariant;
import dev.anneal.training.model.AutogradMemory;
import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.FullModel;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.activations.StepMemory;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.product.Products;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.weights.FrozenLayers;
import dev.anneal.training.weights.FrozenVocabulary;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * All that a rank of a training run holds of its GPU and of the host at the moment when it holds
 * the most, before anything is allocated. Each row's bytes are declared beside the code that takes
 * them.
 *
 * @param tensors in the order in which they are taken; what libtorch's allocators hand out
 * @param assumed what nothing here can count: round numbers
 * @param moment of a step when it holds the most
 */
public record MemoryTable(List<Row> tensors, List<Row> assumed, String moment) {
  /** cuBLAS's workspace for a stream ({@code CUBLAS_WORKSPACE_CONFIG=:4096:8}), from libtorch. */
  private static final long CUBLAS_WORKSPACE_BYTES = 32L << 20;

  /** A CUDA context with the kernels of libtorch and cuBLAS. */
  public static final long CUDA_CONTEXT_BYTES = 700_000_000;

  /** A communicator of NCCL. */
  private static final long NCCL_BYTES = 400_000_000;

  /**
   * Of what a step takes and frees again, the part that lies idle between tensors: a twelfth. 4 to
   * 9% were measured where memory was not short; a run that was counted with a twentieth and filled
   * its GPU did not fit.
   */
  private static final long FRAGMENTS = 12;

  /** A rank's Java heap, libraries and buffers. */
  private static final long PROCESS_BYTES = 6_000_000_000L;

  /** What a row belongs to. */
  public enum Part {
    FROZEN,
    VOCABULARY,
    TRAINED,
    /** what steps work in and make */
    WORK,
    ASSUMED
  }

  /**
   * What holds memory.
   *
   * @param hostBytes of page-locked memory, but for the process itself
   * @param firstBytes of the host beyond that, on rank 0 alone
   */
  public record Row(Part part, String name, long deviceBytes, long hostBytes, long firstBytes) {
    /** Alike on every rank. */
    public Row(Part part, String name, long deviceBytes, long hostBytes) {
      this(part, name, deviceBytes, hostBytes, 0);
    }

    /** Of the host, on rank 0. */
    public long hostBytesOfFirst() {
      return hostBytes + firstBytes;
    }
  }

  /**
   * A rank of a run.
   *
   * @param worldSize ranks of the run
   * @param shardSize ranks that frozen weights are split over; 1: every rank has them all
   * @param checkpoints whether any are taken
   */
  public record Rank(
      LlamaConfig config, TrainingSpec spec, int worldSize, int shardSize, boolean checkpoints) {
    /** The same with another share of frozen layers on the host. */
    Rank withOffloadRatio(double ratio) {
      return with(spec.compute().activations(), spec.weights().withOffloadRatio(ratio));
    }

    /** The same with other activations and weights. */
    Rank with(KeptActivations activations, TrainingSpec.Weights weights) {
      TrainingSpec.Compute compute = spec.compute();
      TrainingSpec changed =
          new TrainingSpec(
              spec.mode(),
              spec.lora(),
              weights,
              new TrainingSpec.Compute(
                  compute.dtype(),
                  compute.matmul(),
                  activations,
                  compute.attention(),
                  compute.head()),
              spec.batches(),
              spec.updates(),
              spec.seed(),
              spec.evaluation());
      return new Rank(config, changed, worldSize, shardSize, checkpoints);
    }

    private boolean trainsAll() {
      return spec.mode() == TrainingSpec.Mode.FULL;
    }

    private DType compute() {
      return spec.compute().dtype();
    }

    private DType adapterCompute() {
      return LoraModel.computeDtype(spec.lora(), compute());
    }
  }

  public MemoryTable {
    tensors = List.copyOf(tensors);
    assumed = List.copyOf(assumed);
  }

  /** Of the rank of a GPU that holds the most: rank 0, whose snapshots have the adapter too. */
  public static MemoryTable of(Rank rank, BatchShape batch) {
    LoraLayout adapters =
        rank.trainsAll() ? null : LoraLayout.of(rank.spec().lora(), rank.config());
    Parameters.Holdings trained = trained(rank, adapters);
    List<Row> tensors = new ArrayList<>(lasting(rank, adapters, trained));
    StepMemory.Pieces pieces = pieces(rank, adapters, batch);
    StepMemory step =
        StepMemory.of(pieces, rank.spec().compute().activations(), rank.config().numHiddenLayers());
    tensors.addAll(activations(step));
    long snapshot = snapshot(rank, 1);
    tensors.add(
        new Row(Part.WORK, "snapshot for checkpoints", 0, snapshot, snapshot(rank, 0) - snapshot));
    tensors.removeIf(row -> row.deviceBytes() == 0 && row.hostBytesOfFirst() == 0);
    return new MemoryTable(tensors, assumed(rank, step), step.moment());
  }

  /** What checkpoints of a rank take of the host: rank 0 copies the adapter too. */
  static long snapshot(Rank rank, int number) {
    if (!rank.checkpoints()) {
      return 0;
    }
    LoraLayout adapters =
        rank.trainsAll() ? null : LoraLayout.of(rank.spec().lora(), rank.config());
    Parameters.Holdings trained = trained(rank, adapters);
    long adapter = rank.trainsAll() || number > 0 ? 0 : computeValues(rank, adapters);
    return trained.master() + trained.moments() + adapter;
  }

  /** What steps keep of the micro-batch and take with it, at the moment when it is the most. */
  static StepMemory step(Rank rank, BatchShape batch) {
    LoraLayout adapters =
        rank.trainsAll() ? null : LoraLayout.of(rank.spec().lora(), rank.config());
    return StepMemory.of(
        pieces(rank, adapters, batch),
        rank.spec().compute().activations(),
        rank.config().numHiddenLayers());
  }

  /** The same with what attention takes for {@code rows} more rows of the same tokens. */
  MemoryTable withShortRows(Rank rank, BatchShape batch, long rows) {
    if (rows <= 0 || !TrainingRun.isFused(rank.spec())) {
      return this;
    }
    long bytes = fused(rank, LoraLayout.none(rank.config())).shortRowBytes(batch, rows);
    List<Row> more = new ArrayList<>(assumed);
    more.add(
        new Row(Part.ASSUMED, "up to %s more rows, packed (assumed)".formatted(rows), bytes, 0));
    return new MemoryTable(tensors, more, moment);
  }

  /** What is there before the first step and stays. */
  static List<Row> lasting(Rank rank) {
    LoraLayout adapters =
        rank.trainsAll() ? null : LoraLayout.of(rank.spec().lora(), rank.config());
    return lasting(rank, adapters, trained(rank, adapters));
  }

  private static List<Row> lasting(Rank rank, LoraLayout adapters, Parameters.Holdings trained) {
    LlamaConfig config = rank.config();
    List<Row> rows = new ArrayList<>();
    if (!rank.trainsAll()) {
      TrainingSpec.Weights weights = rank.spec().weights();
      FrozenLayers.Holdings frozen =
          FrozenLayers.holdings(
              config,
              weights.dtype(),
              rank.compute(),
              rank.shardSize(),
              weights.offloadRatio(),
              weights.exactEdges());
      FrozenVocabulary.Holdings vocabulary = vocabulary(rank);
      rows.add(new Row(Part.FROZEN, "frozen layers", frozen.deviceBytes(), frozen.pinnedBytes()));
      rows.add(new Row(Part.FROZEN, "buffers for whole layers", frozen.bufferBytes(), 0));
      rows.add(new Row(Part.FROZEN, "scales and norms of layers", frozen.sharedBytes(), 0));
      rows.add(new Row(Part.VOCABULARY, "embedding", vocabulary.embedTokens(), 0));
      rows.add(new Row(Part.VOCABULARY, "head", vocabulary.lmHead(), 0));
    }
    String what = rank.trainsAll() ? "weights" : "adapters";
    rows.add(new Row(Part.TRAINED, what + " to compute with", trained.compute(), 0));
    rows.add(new Row(Part.TRAINED, what + " in fp32", trained.master(), 0));
    rows.add(new Row(Part.TRAINED, "gradient", trained.gradient(), 0));
    rows.add(new Row(Part.TRAINED, "gradients being summed", trained.summing(), 0));
    if (!rank.trainsAll()) {
      // where ranks exchange by copies, which the table does not know: else it is too much by that
      long staged = Parameters.stagedBytes(LoraModel.shapes(config, adapters), rank.worldSize());
      rows.add(new Row(Part.TRAINED, "other ranks' gradients being added", staged, 0));
    }
    rows.add(new Row(Part.TRAINED, "AdamW's moments", trained.moments(), 0));
    if (!rank.trainsAll() && rank.spec().lora().variant() instanceof LoraVariant.Pissa) {
      // rank 0 writes checkpoints and what is published
      long factors = elements(rank, adapters) * Float.BYTES;
      rows.add(new Row(Part.TRAINED, "first factors of PiSSA", 0, 0, factors));
    }
    if (TrainingRun.isFused(rank.spec())) {
      FusedMemory fused = fused(rank, adapters);
      TrainingSpec.Weights weights = rank.spec().weights();
      FusedLlama.Columns columns = weights.columns();
      String name =
          switch (columns) {
            case MADE -> "transpose of a weight";
            case KEPT -> "transposes of all weights";
          };
      long inner = FrozenLayers.inner(config, weights.exactEdges());
      rows.add(new Row(Part.WORK, name, fused.columnBytes(columns, inner), 0));
      rows.add(new Row(Part.WORK, "head in FP8", fused.headBytes(), 0));
      rows.add(new Row(Part.WORK, "workspace of layers' products", Products.WORKSPACE_BYTES, 0));
    }
    rows.add(new Row(Part.WORK, "cuBLAS workspace", CUBLAS_WORKSPACE_BYTES, 0));
    return rows;
  }

  private static List<Row> activations(StepMemory step) {
    return List.of(
        new Row(Part.WORK, "micro-batch and its angles", step.batch(), 0),
        new Row(
            Part.WORK, "inputs of layers computed again", step.inputs(), step.pinned().inputs()),
        new Row(Part.WORK, "layers that wait on the host", step.onTheWay(), step.pinned().layers()),
        new Row(Part.WORK, "kept of the other layers", step.kept(), 0),
        new Row(Part.WORK, "workspace: " + step.moment(), step.workspace(), 0));
  }

  private static List<Row> assumed(Rank rank, StepMemory step) {
    List<Row> rows = new ArrayList<>();
    rows.add(new Row(Part.ASSUMED, "fragments (assumed)", step.deviceBytes() / FRAGMENTS, 0));
    rows.add(new Row(Part.ASSUMED, "CUDA context (assumed)", CUDA_CONTEXT_BYTES, 0));
    if (rank.worldSize() > 1) {
      int communicators = rank.shardSize() > 1 ? 2 : 1;
      rows.add(new Row(Part.ASSUMED, "NCCL (assumed)", communicators * NCCL_BYTES, 0));
    }
    rows.add(new Row(Part.ASSUMED, "Java and libraries (assumed)", 0, PROCESS_BYTES));
    return rows;
  }

  /** What trained weights take, with gradient and optimizer. */
  static Parameters.Holdings trained(LlamaConfig config, DType compute, int worldSize) {
    return Parameters.holdings(
        FullModel.shapes(config),
        compute,
        worldSize,
        Parameters.Gathered.ONCE_A_STEP,
        Parameters.Summed.BY_BUCKET);
  }

  static Parameters.Holdings trained(Rank rank, LoraLayout adapters) {
    return rank.trainsAll()
        ? trained(rank.config(), rank.compute(), rank.worldSize())
        : Parameters.holdings(
            LoraModel.shapes(rank.config(), adapters),
            rank.adapterCompute(),
            rank.worldSize(),
            gathered(rank),
            AdapterGathering.summed(rank.spec(), rank.config()));
  }

  /** When adapters come together from all ranks. */
  static Parameters.Gathered gathered(Rank rank) {
    return AdapterGathering.of(
        rank.spec(),
        rank.config(),
        rank.worldSize(),
        rank.shardSize(),
        TrainingRun.isFused(rank.spec()));
  }

  /** The adapters' values of all ranks in the compute dtype, which rank 0 copies too. */
  private static long computeValues(Rank rank, LoraLayout adapters) {
    return elements(rank, adapters) * rank.adapterCompute().bytes();
  }

  private static long elements(Rank rank, LoraLayout adapters) {
    return LoraModel.elements(rank.config(), adapters);
  }

  /** What a layer keeps of a micro-batch. */
  static long layerBytes(Rank rank, BatchShape batch) {
    LoraLayout adapters =
        rank.trainsAll() ? null : LoraLayout.of(rank.spec().lora(), rank.config());
    return pieces(rank, adapters, batch).layer().kept();
  }

  private static StepMemory.Pieces pieces(Rank rank, LoraLayout adapters, BatchShape batch) {
    if (TrainingRun.isFused(rank.spec())) {
      return fused(rank, adapters).of(batch);
    }
    boolean resident = rank.shardSize() == 1 && rank.spec().weights().offloadRatio() == 0;
    DType stored = rank.spec().weights().dtype();
    long gathered = rank.trainsAll() ? 0 : vocabulary(rank).gathered();
    return new AutogradMemory(rank.config(), adapters, stored, rank.compute(), resident, gathered)
        .of(batch);
  }

  private static FusedMemory fused(Rank rank, LoraLayout adapters) {
    TrainingSpec.Compute compute = rank.spec().compute();
    return new FusedMemory(
        rank.config(),
        adapters,
        rank.spec().weights().dtype(),
        compute.dtype(),
        compute.matmul(),
        compute.attention(),
        vocabulary(rank).gathered(),
        compute.head().during(rank.spec().updates().objective()));
  }

  /** Embedding and head that do not train. */
  private static FrozenVocabulary.Holdings vocabulary(Rank rank) {
    return FrozenVocabulary.holdings(rank.config(), rank.compute(), rank.shardSize());
  }

  /** What tensors take of the GPU: what a run's {@code peak_memory_bytes} tells. */
  public long tensorBytes() {
    return tensors.stream().mapToLong(Row::deviceBytes).sum();
  }

  /** All that the GPU has to have. */
  public long deviceBytes() {
    return tensorBytes() + assumed.stream().mapToLong(Row::deviceBytes).sum();
  }

  /** All that the host has to have for rank 0. */
  public long hostBytes() {
    return hostBytes(1);
  }

  /** All that the host has to have for so many ranks, rank 0 among them. */
  public long hostBytes(int ranks) {
    return Stream.concat(tensors.stream(), assumed.stream())
        .mapToLong(row -> ranks * row.hostBytes() + row.firstBytes())
        .sum();
  }
}
