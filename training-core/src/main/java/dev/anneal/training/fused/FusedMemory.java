package dev.anneal.training.fused;

import static dev.anneal.training.model.ModuleGroup.DOWN;
import static dev.anneal.training.model.ModuleGroup.GATE_UP;
import static dev.anneal.training.model.ModuleGroup.O;
import static dev.anneal.training.model.ModuleGroup.QKV;

import dev.anneal.training.cudnn.RowGroup;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.model.activations.StepMemory;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.MemoryTrace;
import dev.anneal.training.weights.Fp8;
import dev.anneal.training.weights.FrozenVocabulary;

/**
 * What {@link FusedLlama} takes of a GPU in bytes, by the allocations of {@link FusedLayer}, {@link
 * FusedHead} and its attention in their order. A scope frees what a layer made when the layer is
 * done, so nothing is free before but what an operator takes for itself. The last layer counts as
 * the others do: where it leaves tokens out ({@link LayerTokens}), what they would take is more
 * than what picking the others makes, {@code [T, hidden_size]} thrice and {@code [N, hidden_size]}
 * twice in the backward, as long as {@code intermediate_size} is at least twice {@code
 * hidden_size}.
 *
 * @param stored what frozen matrices are kept in
 * @param compute what activations are in
 * @param attention whose kernels compute attention
 * @param gathered what embedding or head take while they are brought together; 0: they lie whole
 * @param head what its products are computed in
 */
public record FusedMemory(
    LlamaConfig config,
    LoraLayout adapters,
    DType stored,
    DType compute,
    Matmul matmul,
    AttentionLibrary attention,
    long gathered,
    HeadProducts head) {
  /**
   * Streaming multiprocessors of an H100 and H200. FlashAttention's deterministic backward cuts the
   * keys into so many parts that all of them have work, and each part sums queries of its own.
   */
  private static final long MULTIPROCESSORS = 132;

  /** FlashAttention rounds the sums of a row up to whole blocks of so many queries. */
  private static final long QUERY_BLOCK = 128;

  /**
   * Weights by columns, and a one for each column of the widest: {@link LoraLinears}.
   *
   * @param columns the largest weight's, or all
   * @param layers that are in FP8
   */
  public long columnBytes(FusedLlama.Columns columns, long layers) {
    if (matmul == Matmul.COMPUTE) {
      return 0;
    }
    long widest = 0;
    for (ModuleGroup group : ModuleGroup.values()) {
      widest = Math.max(widest, group.inFeatures(config));
    }
    long elements =
        switch (columns) {
          case MADE -> WeightColumns.largest(config);
          case KEPT -> WeightColumns.all(config, layers);
        };
    return elements + widest * Float.BYTES;
  }

  /** The head in FP8, with scales and ones: {@link FusedHead}. */
  public long headBytes() {
    if (head == HeadProducts.EXACT) {
      return 0;
    }
    long elements = (long) config.vocabSize() * config.hiddenSize();
    long layouts = head == HeadProducts.FP8 ? 2 : 1;
    return layouts * elements + (config.vocabSize() + config.hiddenSize()) * (long) Float.BYTES;
  }

  /**
   * What attention's backward takes at most beyond what counts for {@code batch}, where the same
   * tokens are so many more rows.
   */
  public long shortRowBytes(BatchShape batch, long more) {
    return attentionSums(batch, more) - attentionSums(batch, 0);
  }

  /** What a micro-batch takes. */
  public StepMemory.Pieces of(BatchShape batch) {
    long t = batch.tokens();
    MemoryTrace toMlp = new MemoryTrace();
    forwardToMlp(toMlp, t);
    MemoryTrace forward = new MemoryTrace();
    forwardToMlp(forward, t);
    // act [T, I] and its FP8 form, lowDown, y [T, H]
    forward.hold(t * intermediate() * real());
    fp8(forward, t, intermediate());
    forward.hold(low(DOWN, t));
    product(forward, DOWN, t, config.hiddenSize());
    MemoryTrace backward = new MemoryTrace();
    mlpBackward(backward, t);
    attentionBackward(backward, batch);
    long input = t * config.hiddenSize() * real();
    StepMemory.Layer layer =
        new StepMemory.Layer(
            input, keptBytes(t), forward.most(), toMlp.most(), backward.most(), false);
    return new StepMemory.Pieces(
        batchBytes(batch),
        layer,
        gathered + input,
        head(batch).most(),
        FrozenVocabulary.expectedBytes(gathered));
  }

  /** As {@link Saved} lists it. */
  private long keptBytes(long t) {
    // x, h [T, H]; qkv [T, D]; attention's output [T, q]; gateUp [T, 2 I]
    long columns = 2L * config.hiddenSize() + joined() + queries() + 2 * intermediate();
    // two rstd [T] and logsumexp [heads, T], fp32
    long sums = (2L + config.numAttentionHeads()) * Float.BYTES;
    long lows = low(QKV, t) + low(O, t) + low(GATE_UP, t) + low(DOWN, t);
    return t * (columns * real() + sums) + lows;
  }

  private void forwardToMlp(MemoryTrace trace, long t) {
    normed(trace, t);
    trace.hold(low(QKV, t));
    product(trace, QKV, t, joined());
    // attention: output [T, q], logsumexp [heads, T] fp32
    trace.hold(t * queries() * real() + t * config.numAttentionHeads() * Float.BYTES);
    fp8(trace, t, queries());
    trace.hold(low(O, t));
    product(trace, O, t, config.hiddenSize());
    normed(trace, t);
    trace.hold(low(GATE_UP, t));
    product(trace, GATE_UP, t, 2 * intermediate());
  }

  private void mlpBackward(MemoryTrace trace, long t) {
    // dLowDown, the FP8 form of dY [T, H], dAct [T, I]
    trace.hold(low(DOWN, t));
    fp8(trace, t, config.hiddenSize());
    product(trace, DOWN, t, intermediate());
    // dGateUp is written over gateUp, its FP8 form [T, 2 I]; dLowGateUp, dNormed [T, H]
    fp8(trace, t, 2 * intermediate());
    trace.hold(low(GATE_UP, t));
    product(trace, GATE_UP, t, config.hiddenSize());
    normedAgain(trace, GATE_UP, t);
    // the FP8 form of dH [T, H], which takes the place of dNormed
    fp8(trace, t, config.hiddenSize());
  }

  private void attentionBackward(MemoryTrace trace, BatchShape batch) {
    long t = batch.tokens();
    // dLowO, dAttended [T, q]
    trace.hold(low(O, t));
    product(trace, O, t, queries());
    // dQ, dK, dV; while they come, the operator's own: dK and dV of every query head [T, q] each
    long gradients = t * joined() * real();
    boolean grouped = config.numKeyValueHeads() != config.numAttentionHeads();
    long expanded = grouped ? 2 * t * queries() * real() : 0;
    trace.pass(gradients + expanded + attentionSums(batch, 0)).hold(gradients);
    // dQkv [T, D] and its FP8 form, dLowQkv, dNormed [T, H]
    trace.hold(t * joined() * real());
    fp8(trace, t, joined());
    trace.hold(low(QKV, t));
    product(trace, QKV, t, config.hiddenSize());
    normedAgain(trace, QKV, t);
  }

  /**
   * At most, also of a micro-batch with shorter rows: of cuDNN what its scores take, or what
   * FlashAttention does where it takes over.
   *
   * @param more rows than the batch counts
   */
  private long attentionSums(BatchShape batch, long more) {
    long flash = sums(batch) + more * QUERY_BLOCK * (queries() + heads()) * Float.BYTES;
    if (attention == AttentionLibrary.FLASH) {
      return flash;
    }
    // dO O [T, heads], or the softmax's sums as FlashAttention has them
    long perHead = batch.tokens() * heads() * Float.BYTES;
    long room =
        RowGroup.mostRoomBytes(
            CudnnAttention.ROOM,
            batch.rows() + more,
            batch.length(),
            config.numAttentionHeads(),
            config.numKeyValueHeads());
    return perHead + Math.max(flash, room);
  }

  /** FlashAttention's fp32 sums: dQ {@code [parts, T', q]} and dO O {@code [heads, T']}. */
  private long sums(BatchShape batch) {
    long padded = batch.tokens() + QUERY_BLOCK * batch.rows();
    long blocks = batch.rows() * heads();
    long parts = (MULTIPROCESSORS + blocks - 1) / blocks;
    return padded * (parts * queries() + heads()) * Float.BYTES;
  }

  private MemoryTrace head(BatchShape batch) {
    long n = batch.targets();
    long rows = n * config.hiddenSize() * real();
    long chunk = Math.min(n, Math.max(1, FusedLlama.MAX_LOGITS / config.vocabSize()));
    long logits = chunk * (config.vocabSize() * real() + Float.BYTES + Double.BYTES);
    // the FP8 forms of a chunk's gradient [n, V] and of the norm [N, H]
    long gradient = head == HeadProducts.EXACT ? 0 : chunk * (config.vocabSize() + Float.BYTES);
    long normed = head == HeadProducts.FP8 ? n * (config.hiddenSize() + Float.BYTES) : 0;
    // x and its norm [N, H], rstd [N]; a chunk's logits [n, V], losses [n] in fp32 and fp64
    return new MemoryTrace()
        .hold(2 * rows + n * Float.BYTES + normed)
        .pass(gathered + logits + gradient)
        // zeros [N, H], dHidden [T, H], which rows go where [T] int64 and bool
        .hold(rows)
        .hold(batch.tokens() * (config.hiddenSize() * real() + Long.BYTES + 1));
  }

  private long batchBytes(BatchShape batch) {
    // inputIds, positions, predictorOf [T], predictors and targets [N], int64
    long ids = (3 * batch.tokens() + 2 * batch.targets()) * Long.BYTES;
    // positions [T], radians, cosines and sines [T, head_dim / 2], both joined: fp32
    long angles = 1 + 3L * (config.headDim() / 2) + config.headDim();
    return ids + batch.tokens() * angles * Float.BYTES;
  }

  /** RMSNorm: output [T, H] with its FP8 form, rstd [T]. */
  private void normed(MemoryTrace trace, long t) {
    trace.hold(normBytes(t));
    fp8(trace, t, config.hiddenSize());
  }

  /** What a group's adapters read, in the backward: the norm's output [T, H], rstd [T]. */
  private void normedAgain(MemoryTrace trace, ModuleGroup group, long t) {
    if (low(group, t) > 0) {
      trace.pass(normBytes(t));
    }
  }

  private long normBytes(long t) {
    return t * config.hiddenSize() * real() + t * Float.BYTES;
  }

  /** {@code [T, columns]} of a byte and {@code [T]} fp32, where there is one. */
  private void fp8(MemoryTrace trace, long t, long columns) {
    if (matmul == Matmul.FP8) {
      trace.hold(t * (columns + Float.BYTES));
    }
  }

  /** A product's result {@code [T, columns]}; in the compute dtype FP8 weights are cast for it. */
  private void product(MemoryTrace trace, ModuleGroup group, long t, long columns) {
    trace.hold(t * columns * real());
    if (matmul == Matmul.COMPUTE && stored == DType.FP8) {
      long cast = weight(group) * real();
      trace.pass(cast + Math.min(weight(group), Fp8.PIECE_ELEMENTS) * Float.BYTES);
    }
  }

  /** {@code x A^T [T, R]} of a group's adapters, in the layer where it is widest. */
  private long low(ModuleGroup group, long t) {
    return adapters.layers().stream()
            .mapToLong(
                layer ->
                    group.modules().stream()
                        .filter(layer::containsKey)
                        .mapToLong(module -> layer.get(module).r())
                        .sum())
            .max()
            .orElse(0)
        * t
        * real();
  }

  private long weight(ModuleGroup group) {
    return group.elements(config);
  }

  private long queries() {
    return LinearModule.Q_PROJ.outFeatures(config);
  }

  private long heads() {
    return config.numAttentionHeads();
  }

  private long joined() {
    return QKV.outFeatures(config);
  }

  private long intermediate() {
    return config.intermediateSize();
  }

  private long real() {
    return compute.bytes();
  }
}
