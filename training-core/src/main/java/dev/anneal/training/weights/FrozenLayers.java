package dev.anneal.training.weights;

import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.LlamaLayer;
import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.TensorNames;
import dev.anneal.training.peer.PeerArena;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.weights.LayerLayout.Part;
import dev.anneal.training.weights.reader.LoadProgress;
import dev.anneal.training.weights.reader.WantedRows;
import dev.anneal.training.weights.reader.WeightReader;
import dev.anneal.training.weights.reader.WholeTensors;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.LongConsumer;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;

/**
 * The decoder layers of a model that does not train: whole on the rank's device, or split over
 * several ranks, or in part in the host's memory, and then brought together layer by layer.
 */
public final class FrozenLayers implements AutoCloseable {
  /** For {@code next} of {@link #use}: no layer is known to follow. */
  public static final int NONE = -1;

  /** Where the layers lie, and {@link FrozenVocabulary} with them. */
  public enum Shard {
    /** every rank holds every layer */
    NONE,
    /** the ranks of a node hold equal parts of every layer */
    NODE,
    /** all ranks hold equal parts of every layer */
    WORLD
  }

  /**
   * What a rank's decoder layers take.
   *
   * @param deviceBytes its part of the layers, on the device
   * @param pinnedBytes its part of the layers, on the host
   * @param bufferBytes what layers are brought together in, on the device
   * @param sharedBytes what every rank has whole: norms, and the scales of all rows
   */
  public record Holdings(long deviceBytes, long pinnedBytes, long bufferBytes, long sharedBytes) {}

  /**
   * A rank's part of a tensor of which every rank that the layers are split over holds one. It
   * stays where it is for as long as the layers do.
   */
  interface SharedPart {
    /**
     * Begins to bring all parts together, end to end in the order of the ranks: a collective among
     * the ranks' other calls of {@link FrozenLayers}. On a GPU it is done beside what the current
     * stream is given before {@link #await}, which has to come before anybody uses or frees {@code
     * whole}, also where this fails.
     *
     * @param whole {@code [ranks * n]} of uint8 for a part of {@code n} bytes
     */
    void begin(Tensor whole);

    /** What the current stream does next finds the parts together. */
    void await();

    /** Both at once. */
    default void gatherInto(Tensor whole) {
      try {
        begin(whole);
      } finally {
        await();
      }
    }

    /**
     * Where each rank's part begins for this rank's device, once the layers are {@link #complete};
     * empty where it cannot read them.
     */
    long[] addresses();
  }

  private final LlamaConfig config;
  private final Placement placement;
  private final LayerLayout layout;
  private final EdgeLayers edges;
  private final PeerArena arena;
  private final LayerShards shards;
  private final LayerBuffers buffers;
  private final List<Tensor> inputLayernorms = new ArrayList<>();
  private final List<Tensor> postAttentionLayernorms = new ArrayList<>();
  private final List<WantedRows> wanted = new ArrayList<>();
  private List<List<Tensor>> scales;
  private List<FrozenLayer> residentLayers;
  private Optional<String> whyGathered = Optional.empty();

  /**
   * Takes the memory: on the host until {@link #close}, on the device in the current tensor scope,
   * but until {@link #close} what other threads of this process read. With {@link Transport#PEERS}
   * that is a collective. The weights are there once {@link #wanted} is read and {@link #complete}
   * has been called.
   *
   * @param pinning hears how much of the host's memory is there, where a GPU needs any
   */
  public FrozenLayers(LlamaConfig config, Placement placement, LoadProgress pinning) {
    this(config, placement, pinning, placement.arena());
  }

  /** The same with memory from {@code arena}, which is closed with the weights. */
  FrozenLayers(LlamaConfig config, Placement placement, LoadProgress pinning, PeerArena arena) {
    this.config = config;
    this.placement = placement;
    this.arena = arena;
    this.layout = placement.layout(config);
    int layers = Math.toIntExact(inner(config, placement.exactEdges()));
    if (layers < 1) {
      throw new IllegalArgumentException(
          "%s exact layers at either end leave none of %s between them"
              .formatted(placement.exactEdges(), config.numHiddenLayers()));
    }
    this.edges = new EdgeLayers(config, placement);
    long hostBytes = layers * layout.hostBytes();
    LongConsumer pinned =
        placement.device().isGpu() ? done -> pinning.advanced(done, hostBytes) : done -> {};
    try {
      shards = new LayerShards(layout, placement.stored(), layers, arena, pinned);
    } catch (RuntimeException | Error e) {
      try (arena) {
        throw e;
      }
    }
    try {
      buffers =
          layout.resident()
              ? null
              : new LayerBuffers(
                  layout, shards, placement.stored(), layers, placement.ranks(), arena);
      WholeTensors norms = new WholeTensors(placement.device(), placement.compute());
      for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
        inputLayernorms.add(norms.want(TensorNames.inputLayernorm(layer), config.hiddenSize()));
        postAttentionLayernorms.add(
            norms.want(TensorNames.postAttentionLayernorm(layer), config.hiddenSize()));
        want(layer);
      }
      wanted.addAll(norms.wanted());
    } catch (RuntimeException | Error e) {
      try (arena;
          shards) {
        throw e;
      }
    }
  }

  /** Layers that are read at once, without anything else. */
  public static FrozenLayers load(LlamaConfig config, Placement placement, WeightReader weights) {
    FrozenLayers frozen = new FrozenLayers(config, placement, LoadProgress.IGNORED);
    try {
      weights.stream(frozen.wanted(), placement.device(), LoadProgress.IGNORED);
      frozen.complete();
      return frozen;
    } catch (RuntimeException | Error e) {
      try (frozen) {
        throw e;
      }
    }
  }

  /** What {@link #FrozenLayers} would take, without taking it. */
  public static Holdings holdings(LlamaConfig config, Placement placement) {
    return holdings(
        config,
        placement.stored(),
        placement.compute(),
        placement.ranks().worldSize(),
        placement.offloadRatio(),
        placement.exactEdges());
  }

  /**
   * The same without the ranks.
   *
   * @param ranks how many hold equal parts of every layer
   * @param exactEdges layers at either end in the compute dtype
   */
  public static Holdings holdings(
      LlamaConfig config,
      DType stored,
      DType compute,
      int ranks,
      double offloadRatio,
      int exactEdges) {
    LayerLayout layout = LayerLayout.of(config, stored, ranks, 0, offloadRatio);
    long inner = inner(config, exactEdges);
    boolean scaled = stored == DType.FP8;
    long ownScales = scaled ? Float.BYTES * layout.shardRows() : 0;
    long scales = scaled ? Float.BYTES * layout.rows() : 0;
    long norms = 2L * config.hiddenSize() * compute.bytes();
    return new Holdings(
        inner * (layout.deviceBytes() + ownScales)
            + EdgeLayers.bytes(config, exactEdges, compute.bytes()),
        inner * layout.hostBytes(),
        layout.resident() ? 0 : LayerBuffers.COUNT * layout.wholeBytes(),
        inner * scales + config.numHiddenLayers() * norms);
  }

  /**
   * Layers between the edges.
   *
   * @param exactEdges layers at either end in the compute dtype
   */
  public static long inner(LlamaConfig config, int exactEdges) {
    return config.numHiddenLayers() - 2L * exactEdges;
  }

  /** The rows that belong to this rank, and where they go. */
  public List<WantedRows> wanted() {
    return List.copyOf(wanted);
  }

  private void want(int layer) {
    if (edges.has(layer)) {
      for (Part part : edges.parts()) {
        want(layer, part, 0, (row, values) -> edges.write(layer, part, row, values));
      }
      return;
    }
    for (Part part : layout.parts()) {
      long first = layout.rank() * part.shardRows();
      want(layer, part, first, (row, values) -> shards.write(inner(layer), part, row, values));
    }
  }

  /** A layer's place among those that are not at an end. */
  private int inner(int layer) {
    return layer - placement.exactEdges();
  }

  /**
   * @param shardFirst the first row of a matrix that this rank has
   * @param sink takes rows by their place among this rank's
   */
  private void want(int layer, Part part, long shardFirst, WantedRows.Sink sink) {
    long shardEnd = shardFirst + part.shardRows();
    long first = 0;
    for (LinearModule module : part.group().modules()) {
      long end = first + module.outFeatures(config);
      long from = Math.max(first, shardFirst);
      long to = Math.min(end, shardEnd);
      if (from < to) {
        wanted.add(
            new WantedRows(
                module.weightName(layer),
                from - first,
                to - from,
                part.columns(),
                (row, values) -> sink.accept(from - shardFirst + row, values)));
      }
      first = end;
    }
  }

  /**
   * To be called when all that is {@link #wanted} has come. On sharded weights this is a
   * collective.
   */
  public void complete() {
    scales = shards.gatherScales(placement.ranks());
    if (layout.ranks() > 1) {
      whyGathered = placement.transport().connect(Transport.WEIGHTS, buffers::pull);
    }
    if (layout.resident()) {
      residentLayers = new ArrayList<>();
      for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
        residentLayers.add(
            edges.has(layer)
                ? frozenLayer(layer, edges.matrices(layer), null)
                : frozenLayer(layer, resident(inner(layer)), scales.get(inner(layer))));
      }
    }
  }

  private List<Tensor> resident(int inner) {
    List<Tensor> matrices = new ArrayList<>();
    for (Part part : layout.parts()) {
      matrices.add(
          shards
              .onDevice(inner, part)
              .view(placement.stored().scalarType())
              .view(part.rows(), part.columns()));
    }
    return matrices;
  }

  /**
   * Why layers that are split over ranks are gathered by the group, once they are {@link
   * #complete}; empty where ranks read them out of each other's memory, and where they are not
   * split.
   */
  public Optional<String> whyGathered() {
    return whyGathered;
  }

  /**
   * Layer {@code layer} as it is stored, for work that is enqueued on the current stream before the
   * next call; layer {@code next} is brought meanwhile. On sharded weights this is a collective:
   * every rank of the shard group makes the same calls in the same order.
   */
  public FrozenLayer use(int layer, int next) {
    return buffers == null
        ? residentLayers.get(layer)
        : frozenLayer(layer, buffers.use(layer, next), scales.get(layer));
  }

  /** {@code [bytes]} uint8 on the device, uninitialized, for what {@link #share} is to share. */
  Tensor room(long bytes) {
    return arena.take(1, bytes).get(0);
  }

  /**
   * Shares what belongs to no layer in the way of the layers, which are split. Every rank shares
   * the same things in the same order, before {@link #complete}.
   *
   * @param part {@code [n]} of uint8 out of {@link #room}, of the same size on every rank
   */
  SharedPart share(Tensor part) {
    return buffers.share(part);
  }

  /**
   * @param scales of the matrices; {@code null}: they have none
   */
  private FrozenLayer frozenLayer(int layer, List<Tensor> matrices, List<Tensor> scales) {
    Map<ModuleGroup, FrozenMatrix> byGroup = new EnumMap<>(ModuleGroup.class);
    for (int p = 0; p < matrices.size(); p++) {
      byGroup.put(
          layout.parts().get(p).group(),
          new FrozenMatrix(matrices.get(p), scales == null ? null : scales.get(p)));
    }
    return new FrozenLayer(byGroup, inputLayernorms.get(layer), postAttentionLayernorms.get(layer));
  }

  /**
   * Layer {@code layer} in the compute dtype, usable until the caller's innermost tensor scope
   * closes. A collective as {@link #use} is.
   */
  public LlamaLayer.Weights layer(int layer) {
    FrozenLayer frozen = use(layer, NONE);
    Map<LinearModule, Tensor> linears = new EnumMap<>(LinearModule.class);
    frozen
        .matrices()
        .forEach(
            (group, matrix) -> {
              Tensor joined = inComputeDtype(matrix);
              long first = 0;
              for (LinearModule module : group.modules()) {
                long rows = module.outFeatures(config);
                linears.put(module, joined.narrow(0, first, rows));
                first += rows;
              }
            });
    return new LlamaLayer.Weights(
        linears, frozen.inputLayernorm(), frozen.postAttentionLayernorm());
  }

  private Tensor inComputeDtype(FrozenMatrix matrix) {
    if (matrix.scale() != null) {
      return Fp8.dequantize(matrix.weight(), matrix.scale(), placement.compute().scalarType());
    }
    if (matrix.weight().scalar_type().value != placement.compute().scalarType().value) {
      return matrix.weight().to(placement.compute().scalarType());
    }
    // a buffer is written again while the caller may still hold the layer
    return buffers == null ? matrix.weight() : matrix.weight().clone();
  }

  /** Where and how the layers are kept. */
  public Placement placement() {
    return placement;
  }

  private Stream<Tensor> scales() {
    return scales.stream().flatMap(List::stream).filter(Objects::nonNull);
  }

  /** What the layers take, once they are {@link #complete}. */
  public Holdings holdings() {
    return new Holdings(
        shards.deviceBytes()
            + EdgeLayers.bytes(config, placement.exactEdges(), placement.compute().bytes()),
        shards.hostBytes(),
        buffers == null ? 0 : buffers.bytes(),
        Stream.of(inputLayernorms.stream(), postAttentionLayernorms.stream(), scales())
            .flatMap(tensors -> tensors)
            .mapToLong(Tensor::nbytes)
            .sum());
  }

  /** To be called before the tensor scope closes that the weights are in. */
  @Override
  public void close() {
    try (arena;
        shards;
        buffers) {
      // the buffers close first: then the current stream is behind all that reads the shards
    }
  }
}
