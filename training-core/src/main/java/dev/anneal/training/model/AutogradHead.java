package dev.anneal.training.model;

import static dev.anneal.training.model.RmsNorm.rmsNorm;

import dev.anneal.training.tensor.Grads;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.CrossEntropyLossOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.kNone;

/**
 * Final norm, head and cross-entropy of the target tokens, in chunks of tokens: with a vocabulary
 * of 128,256 whole logits would be the largest tensor of all.
 */
final class AutogradHead implements Head {
  /** Logits that exist at once. */
  static final long MAX_LOGITS = 1L << 25;

  private final TrainableModel model;
  private final Objective objective;
  private final long maxLogits;

  AutogradHead(TrainableModel model, Objective objective) {
    // autograd holds a gradient more of smoothed labels
    this(model, objective, objective.labelSmoothing() > 0 ? MAX_LOGITS / 2 : MAX_LOGITS);
  }

  AutogradHead(TrainableModel model, Objective objective, long maxLogits) {
    this.model = model;
    this.objective = objective;
    this.maxLogits = maxLogits;
  }

  @Override
  public Tensor loss(Tensor hidden, TokenBatch batch) {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Leaves leaves = new Leaves(model.parameters());
      Tensor normed = normed(hidden.index_select(0, batch.predictors()), model.norm(leaves));
      Tensor lmHead = model.lmHead(leaves);
      Tensor sum = Tensors.emptyLike(hidden, ScalarType.Double, 1).zero_();
      for (Chunk chunk : chunks(batch)) {
        try (TensorScope inner = new TensorScope()) {
          Tensor targets = chunk.of(batch.targets());
          sum.add_(eachCrossEntropy(chunk.of(normed), lmHead, targets, 0).sum());
        }
      }
      return scope.keep(sum);
    }
  }

  @Override
  public Tensor losses(Tensor hidden, TokenBatch batch) {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Leaves leaves = new Leaves(model.parameters());
      Tensor normed = normed(hidden.index_select(0, batch.predictors()), model.norm(leaves));
      Tensor lmHead = model.lmHead(leaves);
      Tensor each = Tensors.emptyLike(hidden, ScalarType.Double, batch.targetTokens());
      for (Chunk chunk : chunks(batch)) {
        try (TensorScope inner = new TensorScope()) {
          chunk
              .of(each)
              .copy_(eachCrossEntropy(chunk.of(normed), lmHead, chunk.of(batch.targets()), 0));
        }
      }
      return scope.keep(each);
    }
  }

  @Override
  public Result lossAndGradient(Tensor hidden, TokenBatch batch) {
    try (TensorScope scope = new TensorScope()) {
      Tensor x = Tensors.leaf(hidden.index_select(0, batch.predictors()));
      Leaves normLeaves = new Leaves(model.parameters());
      Tensor normed = normed(x, model.norm(normLeaves));
      Tensor dNormed = torch.zeros_like(normed);
      Tensor sum = Tensors.emptyLike(hidden, ScalarType.Double, 1).zero_();
      // a head that is brought together is let go of when the last chunk is enqueued
      try (TensorScope inner = new TensorScope()) {
        Leaves leaves = new Leaves(model.parameters());
        Weight head = new Weight(model.lmHead(leaves), leaves);
        Targets targets = new Targets(batch.targets(), objective.weights(batch));
        for (Chunk chunk : chunks(batch)) {
          chunkGradient(chunk, normed, targets, head, dNormed, sum);
        }
      }
      List<Tensor> inputs = new ArrayList<>(List.of(x));
      inputs.addAll(normLeaves.tensors());
      Tensor[] grads = Grads.grad(normed, inputs, dNormed);
      normLeaves.accumulate(grads, 1);
      return new Result(scope.keep(sum), scope.keep(batch.spread(grads[0])));
    }
  }

  /**
   * The head.
   *
   * @param leaves itself where it trains
   */
  private record Weight(Tensor lmHead, Leaves leaves) {}

  /**
   * What is learned.
   *
   * @param ids {@code [N]}
   * @param weights {@code [N]}, what each one's loss is multiplied with; {@code null}: 1
   */
  private record Targets(Tensor ids, Tensor weights) {}

  /** Writes the chunk's part of {@code dNormed}, adds its loss to {@code sum}. */
  private void chunkGradient(
      Chunk chunk, Tensor normed, Targets targets, Weight head, Tensor dNormed, Tensor sum) {
    try (TensorScope scope = new TensorScope()) {
      Tensor x = Tensors.leaf(chunk.of(normed));
      Tensor loss = loss(x, head.lmHead(), targets, chunk);
      List<Tensor> inputs = new ArrayList<>(List.of(x));
      inputs.addAll(head.leaves().tensors());
      Tensor[] grads = Grads.grad(loss, inputs, torch.ones_like(loss));
      chunk.of(dNormed).copy_(grads[0]);
      head.leaves().accumulate(grads, 1);
      sum.add_(loss.detach());
    }
  }

  private Tensor normed(Tensor x, Tensor weight) {
    return rmsNorm(x, weight, model.config().rmsNormEps());
  }

  /** The chunk's part of the objective, a scalar in fp64. */
  private Tensor loss(Tensor normed, Tensor lmHead, Targets targets, Chunk chunk) {
    Tensor each =
        eachCrossEntropy(normed, lmHead, chunk.of(targets.ids()), objective.labelSmoothing());
    return (targets.weights() == null ? each : each.mul(chunk.of(targets.weights()))).sum();
  }

  /** {@code [N]} fp64: a sum in fp32 is off by 4e-7 at 262,144 tokens. */
  private static Tensor eachCrossEntropy(
      Tensor normed, Tensor lmHead, Tensor targets, double labelSmoothing) {
    Tensor logits = torch.linear(normed, lmHead).to(ScalarType.Float);
    CrossEntropyLossOptions each = new CrossEntropyLossOptions();
    each.reduction().put(new kNone());
    each.label_smoothing().put(labelSmoothing);
    return torch.cross_entropy(logits, targets, each).to(ScalarType.Double);
  }

  private record Chunk(long first, long count) {
    Tensor of(Tensor tensor) {
      return tensor.narrow(0, first, count);
    }
  }

  private List<Chunk> chunks(TokenBatch batch) {
    long size = Math.max(1, maxLogits / model.config().vocabSize());
    List<Chunk> chunks = new ArrayList<>();
    for (long first = 0; first < batch.targetTokens(); first += size) {
      chunks.add(new Chunk(first, Math.min(size, batch.targetTokens() - first)));
    }
    return chunks;
  }
}
