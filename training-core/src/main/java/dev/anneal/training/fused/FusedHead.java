package dev.anneal.training.fused;

import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Kernels.Normed;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.model.Head;
import dev.anneal.training.model.Objective;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The head of a model whose head is frozen; cross-entropy and its gradient in one kernel. */
final class FusedHead implements Head {
  private final LoraModel model;
  private final Kernels kernels;
  private final Objective objective;
  private final long chunk;

  /**
   * @param maxLogits logits that exist at once
   */
  FusedHead(LoraModel model, Kernels kernels, Objective objective, long maxLogits) {
    this.model = model;
    this.kernels = kernels;
    this.objective = objective;
    this.chunk = Math.max(1, maxLogits / model.config().vocabSize());
  }

  @Override
  public Tensor loss(Tensor hidden, TokenBatch batch) {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Tensor x = hidden.index_select(0, batch.predictors());
      Tensor normed = norm(x).output().values();
      return scope.keep(chunks(normed, batch, Objective.CROSS_ENTROPY, null));
    }
  }

  @Override
  public Tensor losses(Tensor hidden, TokenBatch batch) {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Tensor normed = norm(hidden.index_select(0, batch.predictors())).output().values();
      Tensor lmHead = model.vocabulary().lmHead();
      Tensor each = Tensors.emptyLike(normed, ScalarType.Double, batch.targetTokens());
      for (long first = 0; first < batch.targetTokens(); first += chunk) {
        try (TensorScope inner = new TensorScope()) {
          long count = Math.min(chunk, batch.targetTokens() - first);
          Tensor logits = torch.mm(normed.narrow(0, first, count), lmHead.t());
          each.narrow(0, first, count)
              .copy_(kernels.crossEntropy(logits, batch.targets().narrow(0, first, count)));
        }
      }
      return scope.keep(each);
    }
  }

  @Override
  public Result lossAndGradient(Tensor hidden, TokenBatch batch) {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Tensor x = hidden.index_select(0, batch.predictors());
      Normed normed = norm(x);
      // the gradient of a chunk takes the place of its input
      Tensor dNormed = normed.output().values();
      Tensor loss = chunks(dNormed, batch, objective, dNormed);
      kernels.rmsNormBackward(dNormed, x, normed.rstd(), model.norm(), torch.zeros_like(x));
      return new Result(scope.keep(loss), scope.keep(batch.spread(dNormed)));
    }
  }

  private Normed norm(Tensor x) {
    return kernels.rmsNorm(x, model.norm(), model.config().rmsNormEps(), Matmul.COMPUTE);
  }

  /**
   * @param dNormed where the gradient goes; {@code null}: nowhere
   * @return {@code [1]} fp64
   */
  private Tensor chunks(Tensor normed, TokenBatch batch, Objective goal, Tensor dNormed) {
    // a head that is brought together is let go of when the last chunk is enqueued
    try (TensorScope scope = new TensorScope()) {
      Tensor lmHead = model.vocabulary().lmHead();
      Tensor weights = goal.weights(batch);
      Tensor sum = Tensors.emptyLike(normed, ScalarType.Double, 1).zero_();
      for (long first = 0; first < batch.targetTokens(); first += chunk) {
        try (TensorScope inner = new TensorScope()) {
          long count = Math.min(chunk, batch.targetTokens() - first);
          Tensor targets = batch.targets().narrow(0, first, count);
          Tensor logits = torch.mm(normed.narrow(0, first, count), lmHead.t());
          Smoothing smoothing = Smoothing.of(goal, logits, targets);
          Tensor each = smoothing.loss(kernels.crossEntropy(logits, targets));
          if (weights != null) {
            each.mul_(weights.narrow(0, first, count));
          }
          sum.add_(each.sum());
          if (dNormed != null) {
            smoothing.gradient(dNormed.narrow(0, first, count), logits, lmHead);
          }
        }
      }
      if (dNormed != null && weights != null) {
        dNormed.mul_(weights.to(ScalarType.Float).unsqueeze(1));
      }
      return scope.keep(sum);
    }
  }
}
