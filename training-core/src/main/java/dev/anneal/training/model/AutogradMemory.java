package dev.anneal.training.model;

import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.model.activations.StepMemory;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.MemoryTrace;
import dev.anneal.training.weights.Fp8;
import dev.anneal.training.weights.FrozenVocabulary;
import java.util.Map;

/**
 * What the reference ({@link Llama#reference}) takes in bytes: by the tensors that {@link
 * LlamaLayer} makes, all of which live until the layer's scope closes, and roughly what libtorch's
 * autograd makes of them on the way back.
 *
 * @param adapters {@code null} where all weights train
 * @param stored what frozen matrices are kept in
 * @param resident whether frozen layers lie whole on the device and need no copy
 * @param gathered what embedding or head take while they are brought together; 0: they lie whole
 */
public record AutogradMemory(
    LlamaConfig config,
    LoraLayout adapters,
    DType stored,
    DType compute,
    boolean resident,
    long gathered) {

  /** What a micro-batch takes. */
  public StepMemory.Pieces of(BatchShape batch) {
    long t = batch.tokens();
    MemoryTrace forward = new MemoryTrace();
    layer(forward, t);
    long input = t * hidden() * real();
    StepMemory.Layer layer =
        new StepMemory.Layer(
            input, input + forward.held(), forward.most(), forward.most(), backward(t), true);
    return new StepMemory.Pieces(
        batchBytes(batch),
        layer,
        gathered + input,
        head(batch).most(),
        FrozenVocabulary.expectedBytes(gathered));
  }

  private void layer(MemoryTrace trace, long t) {
    weights(trace);
    norm(trace, t);
    linear(trace, t, LinearModule.Q_PROJ);
    rotate(trace, t, queries());
    linear(trace, t, LinearModule.K_PROJ);
    rotate(trace, t, LinearModule.K_PROJ.outFeatures(config));
    linear(trace, t, LinearModule.V_PROJ);
    // k and v for every query head, the output, its rows in order, all rows [T, q]; logsumexp fp32
    trace.hold(t * (5 * queries() * real() + (long) config.numAttentionHeads() * Float.BYTES));
    linear(trace, t, LinearModule.O_PROJ);
    // h [T, H]
    trace.hold(t * hidden() * real());
    norm(trace, t);
    // gate, silu(gate), up, their product [T, I]
    linear(trace, t, LinearModule.GATE_PROJ);
    trace.hold(t * config.intermediateSize() * real());
    linear(trace, t, LinearModule.UP_PROJ);
    trace.hold(t * config.intermediateSize() * real());
    linear(trace, t, LinearModule.DOWN_PROJ);
    // the layer's output [T, H]
    trace.hold(t * hidden() * real());
  }

  /** A frozen layer's matrices in the compute dtype, where they are not kept whole in it. */
  private void weights(MemoryTrace trace) {
    boolean frozen = adapters != null;
    if (frozen && (stored != compute || !resident)) {
      long elements = ModuleGroup.elementsOfLayer(config);
      trace.hold(elements * real());
      if (stored == DType.FP8) {
        trace.pass(Math.min(elements, Fp8.PIECE_ELEMENTS) * Float.BYTES);
      }
    }
  }

  /** x, x^2 and x * rstd [T, H] in fp32, two in the compute dtype; three sums [T] fp32. */
  private void norm(MemoryTrace trace, long t) {
    long casts = compute == DType.FP32 ? 2L * Float.BYTES : 3L * Float.BYTES + real();
    trace.hold(t * (hidden() * (casts + real()) + 3L * Float.BYTES));
  }

  private void linear(MemoryTrace trace, long t, LinearModule module) {
    long out = t * module.outFeatures(config) * real();
    trace.hold(out);
    long r = rank(module);
    if (r > 0) {
      // mask, scaled mask and what is left of x [T, in]
      long dropped = adapters.spec().dropout() > 0 ? 3L * module.inFeatures(config) : 0;
      // low [T, r]; its product with B, and the sum [T, out]
      trace.hold(t * (dropped + r) * real() + 2 * out);
      if (adapters.spec().isDora()) {
        dora(trace, module, r, out);
      }
    }
  }

  /**
   * What {@link Dora} takes beside that: two products and a sum {@code [T, out]}, with dropout the
   * weight's product too; factors {@code [out]}, and A and B in the compute dtype.
   */
  private void dora(MemoryTrace trace, LinearModule module, long r, long out) {
    long in = module.inFeatures(config);
    long rows = module.outFeatures(config);
    long piece = Math.min(rows, Math.max(1, Dora.PIECE_ELEMENTS / in)) * in;
    // rows in fp32, what is added to them, squares
    trace.pass(3 * piece * Float.BYTES);
    trace.hold((adapters.spec().dropout() > 0 ? 4 : 3) * out);
    trace.hold(4 * rows * Float.BYTES);
    if (compute != DType.FP32) {
      trace.hold((r * (in + rows) + 2 * rows) * real());
    }
  }

  /** A half negated, the halves exchanged, two products and their sum: {@link Rope#rotate}. */
  private void rotate(MemoryTrace trace, long t, long columns) {
    trace.hold(t * columns * real() * 9 / 2);
  }

  /** The gradients of four MLP activations, of a norm in fp32, and of the layer's leaves. */
  private long backward(long t) {
    long activations = t * (4L * config.intermediateSize() * real() + 3 * hidden() * Float.BYTES);
    return activations + leaves();
  }

  /** Gradients of a layer's trained parameters; of adapters in what they compute with. */
  private long leaves() {
    return adapters == null
        ? ModuleGroup.elementsOfLayer(config) * real()
        : adapterElements() * LoraModel.computeDtype(adapters.spec(), compute).bytes();
  }

  private MemoryTrace head(BatchShape batch) {
    long n = batch.targets();
    long chunk = Math.min(n, Math.max(1, AutogradHead.MAX_LOGITS / config.vocabSize()));
    MemoryTrace trace = new MemoryTrace().hold(n * hidden() * real());
    norm(trace, n);
    // dNormed [N, H]; a chunk's logits and their gradient; logits, softmax and gradients in fp32
    trace.hold(n * hidden() * real());
    long logits = chunk * config.vocabSize() * (2L * real() + 4L * Float.BYTES);
    // the head's gradient [V, H] where it trains
    long leaf = adapters == null ? (long) config.vocabSize() * hidden() * real() : 0;
    return trace
        .pass(gathered + logits + leaf)
        .hold(3 * n * hidden() * Float.BYTES)
        .hold(batch.tokens() * (hidden() * real() + Long.BYTES + 1));
  }

  private long batchBytes(BatchShape batch) {
    // inputIds, positions, predictorOf [T], predictors and targets [N], int64
    long ids = (3 * batch.tokens() + 2 * batch.targets()) * Long.BYTES;
    // positions [T], radians [T, head_dim / 2], joined, cosines, sines in fp32; the last two cast
    long angles = (1 + config.headDim() / 2 + 3L * config.headDim()) * Float.BYTES;
    long casts = compute == DType.FP32 ? 0 : 2L * config.headDim() * real();
    return ids + batch.tokens() * (angles + casts);
  }

  private long adapterElements() {
    long elements = 0;
    for (LinearModule module : LinearModule.values()) {
      long rank = rank(module);
      elements += rank * (module.inFeatures(config) + (long) module.outFeatures(config));
      if (rank > 0 && adapters.spec().isDora()) {
        elements += module.outFeatures(config);
      }
    }
    return elements;
  }

  /** Of the module's adapter in the layer where it is largest; 0: none. */
  private long rank(LinearModule module) {
    return adapters == null
        ? 0
        : adapters.layers().stream()
            .map((Map<LinearModule, LoraLayout.Adapter> layer) -> layer.get(module))
            .mapToLong(adapter -> adapter == null ? 0 : adapter.r())
            .max()
            .orElse(0);
  }

  private long queries() {
    return LinearModule.Q_PROJ.outFeatures(config);
  }

  private long hidden() {
    return config.hiddenSize();
  }

  private long real() {
    return compute.bytes();
  }
}
